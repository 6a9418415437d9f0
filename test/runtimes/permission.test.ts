// Node's permission model: with the flags that docs/platforms.md names a service runs, without them the error names them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type Ending, tmpDir } from '../helpers/tmp-dir';

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

/** One call with a socket file in a folder. */
const ofFiles = `
  const { createHandoff, UnixServer } = require('fdpass');
  const [, file, options] = process.argv;
  async function main() {
    if (options === 'handoff') {
      const handoff = await createHandoff({ name: 'files', pidFile: file });
      await handoff.ready();
      return handoff.close();
    }
    const server = new UnixServer().listen(file, JSON.parse(options));
    await require('events').once(server, 'listening');
    console.log((require('fs').lstatSync(file).mode & 0o777).toString(8));
    await server.close();
  }
  main().catch(({ code, message }) => console.log(code, message));`;

const root = path.dirname(require.resolve('fdpass/package.json'));
const bare = [
  '--allow-addons',
  ...[`${root}/*`, '/etc/alpine-release'].map((one) => `--allow-fs-read=${one}`),
];
const ownFds = '--allow-fs-write=/proc/self/fd/*';

/** In a new folder. @returns what it has printed, and whether the file is left */
function runWithFile(t: Ending, allowed: (folder: string) => string[], options: string) {
  const folder = tmpDir(t);
  const file = path.join(folder, 'file');
  const env = { ...process.env, XDG_RUNTIME_DIR: folder };
  const args = ['--no-warnings', enable, ...bare, ...allowed(`${folder}/*`), '-e', ofFiles, file, options];
  const { stdout, stderr } = spawnSync(process.execPath, args, { cwd: __dirname, env, encoding: 'utf8' });
  return { said: stdout.trim(), stderr, left: existsSync(file) || existsSync(`${file}.lock`), folder };
}

const read = (folder: string): string[] => [`--allow-fs-read=${folder}`];
const readAndWrite = (folder: string): string[] => [...read(folder), `--allow-fs-write=${folder}`];

for (const options of ['{}', '{"replaceStale":true}', '{"replace":true}', '{"mode":384,"replace":true}']) {
  test(`with its folder a socket file is made and removed: ${options}`, (t) => {
    const { said, stderr, left } = runWithFile(t, readAndWrite, options);
    assert.match(said, options.includes('mode') ? /^600$/ : /^\d+$/, stderr);
    assert.equal(left, false);
  });
}

for (const options of ['{}', '{"replaceStale":true}', '{"replace":true}']) {
  test(`without its folder no socket file is made, and the flags are named: ${options}`, (t) => {
    const onlyRead = runWithFile(t, read, options);
    const flag = `--allow-fs-write=${onlyRead.folder}/*`;
    assert.ok(onlyRead.said.startsWith('ERR_FDPASS_PERMISSION fdpass may not make '), onlyRead.stderr);
    assert.ok(onlyRead.said.endsWith(`Start Node with ${flag}`), onlyRead.said);
    assert.equal(onlyRead.left, false);
    const neither = runWithFile(t, () => [], options);
    assert.match(neither.said, / --allow-fs-read=\S+\/\* --allow-fs-write=\S+\/\*$/);
    assert.equal(neither.left, false);
  });
}

test('a mode that the umask narrows takes a flag more, which the error names', (t) => {
  const wide = '{"mode":511}';
  const { said, left } = runWithFile(t, readAndWrite, wide);
  assert.match(said, /^ERR_FDPASS_PERMISSION .* Start Node with --allow-fs-write=\/proc\/self\/fd\/\*$/);
  assert.equal(left, false);
  assert.equal(runWithFile(t, (folder) => [...readAndWrite(folder), ownFds], wide).said, '777');
});

test('with its folder a control socket and a pid file are made and removed', (t) => {
  const { said, stderr, left } = runWithFile(t, readAndWrite, 'handoff');
  assert.deepEqual([said, stderr, left], ['', '', false]);
});

test('with both flags upgrade() starts its successor', () => {
  const { lines, stderr } = runWith('--allow-addons', '--allow-child-process', ...network);
  assert.deepEqual(lines, ['received 1', 'serves', 'ERR_HANDOFF_SUCCESSOR_EXITED 7'], stderr);
});
