// Node's permission model: with the flags that docs/platforms.md names a service runs, without them the error names them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';

const flags = process.allowedNodeEnvironmentFlags;
/** Node 20 knows the older name only; a child of Node 22 that is given that one does not start. */
const enable = flags.has('--permission') ? '--permission' : '--experimental-permission';
/** Since Node 25. */
const network = flags.has('--allow-net') ? ['--allow-net'] : [];

const program = `
  const { createHandoff, UnixDatagram } = require('fdpass');
  async function main() {
    const [left, right] = UnixDatagram.pair({ maxFds: 1 });
    left.trySend('x', undefined, { fds: [0] });
    const { fds } = await right.receive();
    console.log('received', fds.length);
    for (const end of [...fds, left, right]) await end.close();
    const handoff = await createHandoff({ name: 'allowed', address: '@fdpass-permission-' + process.pid });
    await handoff.listen('web', require('http').createServer(), { port: 0, host: '127.0.0.1' });
    await handoff.ready();
    console.log('serves');
    const error = await handoff.upgrade({ args: ['-e', 'process.exit(7)'] }).catch((error) => error);
    console.log(error.code, error.exitCode ?? error.message);
    await handoff.close();
  }
  main();`;

function runWith(...allowed: string[]): { lines: string[]; stderr: string } {
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--no-warnings', enable, '--allow-fs-read=*', ...allowed, '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: __dirname, env, encoding: 'utf8' });
  return { lines: stdout.trim().split('\n'), stderr };
}

test('without --allow-addons the import fails and names the flag', () => {
  const { stderr } = runWith();
  assert.match(stderr, /ERR_FDPASS_PERMISSION/);
  assert.match(stderr, /Start Node with --allow-addons/);
  assert.doesNotMatch(stderr, /no binary/);
});

test('without --allow-child-process all works but upgrade(), which names the flag', () => {
  const { lines, stderr } = runWith('--allow-addons', ...network);
  assert.deepEqual(lines.slice(0, 2), ['received 1', 'serves'], stderr);
  assert.match(lines[2] ?? '', /^ERR_FDPASS_PERMISSION .*Start Node with --allow-child-process/);
});

test('with both flags upgrade() starts its successor', () => {
  const { lines, stderr } = runWith('--allow-addons', '--allow-child-process', ...network);
  assert.deepEqual(lines, ['received 1', 'serves', 'ERR_HANDOFF_SUCCESSOR_EXITED 7'], stderr);
});
