// EADDRINUSE says who holds the address, or what is in the way and what to do about it.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { UnixDatagram, UnixSeqpacketServer } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { type Child, start, startFixture } from '../helpers/child';
import { closeAfter } from '../helpers/link';
import { isRoot } from '../helpers/nobody';
import { failureOf } from '../helpers/outcome';
import { type Ending, tmpDir } from '../helpers/tmp-dir';

/** A process that listens on the address until its stdin ends. */
async function holder(t: Ending, type: string, at: string): Promise<Child> {
  const child = startFixture(t, 'bind-name', [type, at]);
  assert.equal(await child.line(), 'bound');
  return child;
}

const binders = {
  async dgram(at: string): Promise<void> {
    await using socket = new UnixDatagram();
    socket.bind(at);
  },
  async seqpacket(at: string): Promise<void> {
    await using server = new UnixSeqpacketServer();
    server.listen(at);
  },
};

for (const [type, bind] of Object.entries(binders)) {
  for (const kind of ['path', 'abstract']) {
    test(`${type}, ${kind}: the process that holds the address is named`, async (t) => {
      const at = kind === 'path' ? path.join(tmpDir(t), 's') : `@${freshName()}`;
      const child = await holder(t, type, at);
      const error = await failureOf(bind(at));
      const { pid } = child.process;
      assert.equal(error.code, 'EADDRINUSE');
      assert.equal(error.address, at);
      assert.deepEqual(
        error.holders?.map((one) => [one.pid, one.uid]),
        [[pid, process.geteuid?.()]],
      );
      const command = error.holders?.[0]?.command ?? '';
      assert.match(command, /bind-name\.js/);
      assert.equal(error.message, `bind EADDRINUSE ${at} (held by pid ${pid}: ${command})`);
      child.process.stdin?.end();
      await child.ended;
    });
  }
}

test('one holder is named in the text, all in the field', async (t) => {
  const at = `@${freshName()}`;
  const server = new UnixSeqpacketServer().listen(at);
  closeAfter(t, server);
  const child = start(t, 'sh', ['-c', 'echo up; read line'], { stdio: ['pipe', 'pipe', 'pipe', server.fd] });
  await child.line();
  const error = await failureOf(() => new UnixSeqpacketServer().listen(at));
  assert.equal(error.holders?.length, 2);
  assert.match(error.message, /\(held by .*, and 1 more\)$/);
  child.process.stdin?.end();
  await child.ended;
});

test('an abstract name of another type is not in the way, nor named', async (t) => {
  const at = `@${freshName()}`;
  const datagram = await holder(t, 'dgram', at);
  closeAfter(t, new UnixSeqpacketServer().listen(at));
  const error = await failureOf(() => new UnixSeqpacketServer().listen(at));
  assert.deepEqual(
    error.holders?.map(({ pid }) => pid),
    [process.pid],
  );
  datagram.process.stdin?.end();
  await datagram.ended;
});

test('what else is at a path is told', async (t) => {
  const folder = tmpDir(t);
  writeFileSync(path.join(folder, 'file'), '');
  mkdirSync(path.join(folder, 'directory'));
  symlinkSync('nowhere', path.join(folder, 'link'));
  for (const [name, kind] of [
    ['file', 'a regular file'],
    ['directory', 'a directory'],
    ['link', 'a symbolic link'],
  ] as const) {
    const at = path.join(folder, name);
    const error = await failureOf(() => new UnixSeqpacketServer().listen(at));
    assert.equal(error.message, `bind EADDRINUSE ${at} (it is ${kind})`);
    assert.equal(error.holders, undefined);
  }
});

test('a server that was started in its directory is told from a leftover', async (t) => {
  const folder = tmpDir(t);
  const before = process.cwd();
  process.chdir(folder);
  const server = new UnixSeqpacketServer().listen('s');
  process.chdir(before);
  closeAfter(t, server);
  const at = path.join(folder, 's');
  const error = await failureOf(() => new UnixSeqpacketServer().listen(at));
  assert.equal(error.message, `bind EADDRINUSE ${at}`);
});

test('a holder that may not be seen is said to be there', { skip: !isRoot && 'needs root' }, async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o777);
  const at = path.join(folder, 's');
  closeAfter(t, new UnixSeqpacketServer().listen(at));
  const child = startFixture(t, 'bind-name', ['seqpacket', at, '{}', 'nobody']);
  assert.equal(
    await child.line(),
    `bind EADDRINUSE ${at} (held by a process that was not found; only root sees other users' processes)`,
  );
  child.process.stdin?.end();
  await child.ended;
});
