// The examples of names: abstract ones, permissions, and what a crash leaves behind.
import assert from 'node:assert/strict';
import { chmodSync, existsSync, readdirSync, statSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { freshName } from '../helpers/address-name';
import { start } from '../helpers/child';
import { tmpDir } from '../helpers/tmp-dir';
import { connectAsNobody, talk } from './client';
import { examplesFolder, outputOf, startExample, startServer, stop } from './example';

const uid = process.getuid?.();
const needsRoot = { skip: uid !== 0 && 'only root can act for another user' };

test('abstract-socket tells a client of the same user who it is', async (t) => {
  const name = freshName();
  const server = await startServer(t, 'abstract-socket', [name]);
  const client = talk(t, `@${name}`);
  assert.equal(await outputOf(client), `you are pid ${client.process.pid} of uid ${uid}\n`);
  await stop(server);
});

test('abstract-socket leaves nothing behind when it is killed', async (t) => {
  const name = freshName();
  const killed = await startServer(t, 'abstract-socket', [name]);
  killed.process.kill('SIGKILL');
  await killed.ended;
  await stop(await startServer(t, 'abstract-socket', [name]));
});

test('abstract-socket refuses another user', needsRoot, async (t) => {
  const name = freshName();
  const server = await startServer(t, 'abstract-socket', [name]);
  assert.equal(await outputOf(connectAsNobody(t, `@${name}`)), '\n');
  assert.match(await server.line(), /^refused: pid \d+ of uid 65534$/);
  await stop(server);
});

test('permissions gives its sockets 0600 and 0666, whatever the umask is', async (t) => {
  for (const umask of ['000', '077']) {
    const folder = tmpDir(t);
    const program = path.join(examplesFolder, 'permissions.mjs');
    const shell = ['-c', `umask ${umask} && exec "$0" "$@"`, process.execPath, program, folder];
    const server = start(t, 'sh', shell, { cwd: '/' });
    const at = ['private', 'public'].map((name) => path.join(folder, `fdpass-${name}.sock`));
    assert.equal(await server.line(), `${at[0]} has mode 0600`);
    assert.equal(await server.line(), `${at[1]} has mode 0666`);
    assert.deepEqual(
      at.map((file) => statSync(file).mode & 0o777),
      [0o600, 0o666],
    );
    assert.equal(await server.line(), 'listening');
    await stop(server);
  }
});

test('permissions lets everybody in at 0666, and at 0600 only its own user', needsRoot, async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o755);
  const server = await startServer(t, 'permissions', [folder]);
  const [closed, open] = ['private', 'public'].map((name) => path.join(folder, `fdpass-${name}.sock`));
  assert.ok(closed && open);
  assert.equal(await outputOf(talk(t, closed)), 'welcome, uid 0\n');
  assert.equal(await outputOf(connectAsNobody(t, closed)), 'PermissionError\n');
  assert.equal(await outputOf(connectAsNobody(t, open)), 'welcome, uid 65534\n');
  await stop(server);
});

test('stale-socket takes the place of a server that was killed, and never of one that lives', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const killed = startExample(t, 'stale-socket', [at]);
  assert.equal(await killed.line(), 'the name was free');
  assert.equal(await killed.line(), `pid ${killed.process.pid} is listening on ${at}`);
  killed.process.kill('SIGKILL');
  await killed.ended;
  assert.ok(existsSync(at));

  const second = startExample(t, 'stale-socket', [at]);
  assert.equal(await second.line(), 'a dead server had left its file: replaced');
  assert.equal(await second.line(), `pid ${second.process.pid} is listening on ${at}`);

  const third = await startExample(t, 'stale-socket', [at]).ended;
  assert.deepEqual([third.code, third.stdout], [1, '']);
  assert.ok(
    third.stderr.startsWith(`bind EADDRINUSE ${at} (held by pid ${second.process.pid}: `),
    third.stderr,
  );
  assert.equal(await outputOf(talk(t, at)), `pid ${second.process.pid} is alive\n`);
  await stop(second);
  assert.deepEqual(readdirSync(folder), []);
});
