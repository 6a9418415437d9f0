// Other systems than Linux, simulated: the package loads without its addon, and one program text serves there, too.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { start } from '../helpers/child';
import { tmpDir } from '../helpers/tmp-dir';

const compiled = path.join(__dirname, '..');
const unsupported = 'ERR_FDPASS_UNSUPPORTED_PLATFORM';

function preload(platform: string): { args: string[]; env: NodeJS.ProcessEnv } {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  return {
    args: [`--require=${path.join(compiled, 'helpers/other-platform.js')}`],
    env: { ...env, FDPASS_TEST_PLATFORM: platform },
  };
}

for (const [platform, signal] of [
  ['darwin', 'SIGHUP'],
  ['win32', 'SIGUNKNOWN'],
] as const) {
  test(`on ${platform} a service listens, drains and closes, and the rest says that it needs Linux`, async (t) => {
    const folder = tmpDir(t);
    const { args, env } = preload(platform);
    const fixture = path.join(compiled, 'fixtures/plain-service.js');
    const child = start(t, process.execPath, [...args, fixture, folder, signal], { env });
    const { code, stdout, stderr } = await child.ended;
    assert.equal(code, 0, stderr);
    const { codes, status, ...seen } = JSON.parse(stdout);
    assert.deepEqual(new Set(Object.values(codes)), new Set([unsupported]), stdout);
    assert.deepEqual(seen, {
      isSupported: false,
      generation: 1,
      taken: 'EADDRINUSE',
      pid: `${child.process.pid}`,
      answers: ['served', 'served'],
      events: ['confirmed', 'web closed'],
      warnings: [unsupported],
      late: 'ERR_HANDOFF_STATE',
      state: 'closed',
      left: [false, false],
    });
    const listeners = status.listeners.map(({ name, address }: Record<string, string>) => [name, address]);
    assert.deepEqual(listeners[1], ['file', path.join(folder, 'socket')]);
    assert.match(listeners[0][1], /^127\.0\.0\.1:\d+$/);
  });
}

test('on darwin a leftover socket file is replaced, and one that is in use is not', async (t) => {
  const file = path.join(tmpDir(t), 'socket');
  const { args, env } = preload('darwin');
  const program = (last: string): string =>
    `const { createHandoff } = require('fdpass');
    void createHandoff({ name: 'shop' })
      .then((handoff) => handoff.listen('web', require('net').createServer(), { path: ${JSON.stringify(file)} }))
      .then(() => { console.log('listens'); ${last} }, (error) => console.log(error.code));`;
  const options = { cwd: compiled, env, encoding: 'utf8' } as const;
  const killed = spawnSync(
    process.execPath,
    [...args, '-e', program("process.kill(process.pid, 'SIGKILL');")],
    options,
  );
  assert.deepEqual([killed.stdout, existsSync(file)], ['listens\n', true]);
  const next = spawnSync(process.execPath, [...args, '-e', program('process.exit();')], options);
  assert.equal(next.stdout, 'listens\n');
  const holder = net.createServer().listen(`${file}2`);
  t.after(() => void holder.close());
  await new Promise((resolve) => holder.once('listening', resolve));
  const third = start(t, process.execPath, [...args, '-e', program('').replace(file, `${file}2`)], {
    cwd: compiled,
    env,
  });
  assert.equal((await third.ended).stdout, 'EADDRINUSE\n');
});

test('the command line says on darwin that it needs Linux', () => {
  const { args, env } = preload('darwin');
  const main = path.join(path.dirname(require.resolve('fdpass')), 'cli/main.js');
  const { status, stderr } = spawnSync(process.execPath, [...args, main, 'status', 'shop'], {
    env,
    encoding: 'utf8',
  });
  assert.notEqual(status, 0);
  assert.match(stderr, /works on Linux only; this is darwin/);
});
