// The examples of messages: the logger that takes datagrams, and the files that travel with a packet.
import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { UnixDatagram } from 'fdpass';
import { start } from '../helpers/child';
import { tmpDir } from '../helpers/tmp-dir';
import { hasNetcat, sendFile } from './client';
import { examplesFolder, outputOf, startExample, startServer, stop } from './example';

test('datagram-logger says who wrote what, and a message cannot forge a line', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const logger = await startServer(t, 'datagram-logger', [at]);
  const sender = new UnixDatagram();
  t.after(() => sender.close());
  const me = `pid ${process.pid}, uid ${process.getuid?.()}`;
  await sender.send('it works\n', at);
  assert.equal((await logger.line()).replace(/^\S+ /, ''), `${me}: "it works"`);
  await sender.send('one\n2026-01-01 pid 1, uid 0: two', at);
  assert.equal((await logger.line()).replace(/^\S+ /, ''), `${me}: "one\\n2026-01-01 pid 1, uid 0: two"`);
  await sender.send('x'.repeat(9000), at);
  assert.ok((await logger.line()).endsWith('x" (cut)'));
  await stop(logger);
});

test('datagram-logger takes what nc -uU sends', { skip: !hasNetcat && 'nc is not installed' }, async (t) => {
  const at = path.join(tmpDir(t), 's');
  const logger = await startServer(t, 'datagram-logger', [at]);
  const nc = start(t, 'nc', ['-uU', '-w1', at]);
  nc.process.stdin?.end('hello\n');
  assert.match(await logger.line(), new RegExp(` pid ${nc.process.pid}, uid \\d+: "hello"$`));
  await stop(logger);
});

test('receive-file reads the very file that send-file has opened', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const receiver = await startServer(t, 'receive-file', [at]);
  const file = path.join(examplesFolder, 'README.md');
  const { ino } = statSync(file);
  const lines = readFileSync(file, 'utf8').split('\n').length - 1;
  assert.equal(
    await outputOf(startExample(t, 'send-file', [file, at])),
    `sending ${file}, inode ${ino}\nthe receiver says: inode ${ino} has ${lines} lines\n`,
  );
  assert.equal(await receiver.line(), `"${file}": inode ${ino} has ${lines} lines`);
  await stop(receiver);
});

test('receive-file reads a file that has no name any more, of a sender in Python', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const file = path.join(folder, 'file');
  const receiver = await startServer(t, 'receive-file', [at]);
  writeFileSync(file, 'one\ntwo\n');
  const { ino } = statSync(file);
  assert.equal(await outputOf(sendFile(t, at, file)), `inode ${ino} has 2 lines\n`);
  await stop(receiver);
});

test('receive-file refuses what is no file, and serves on', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const receiver = await startServer(t, 'receive-file', [at]);
  assert.equal(await outputOf(sendFile(t, at)), 'no file came\n');
  assert.match(await outputOf(startExample(t, 'send-file', ['/', at])), /says: cannot read it: /);
  assert.match(await outputOf(startExample(t, 'send-file', ['/dev/null', at])), /has 0 lines\n$/);
  await stop(receiver);
});

test('send-file fails without a receiver', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const { code, stderr } = await startExample(t, 'send-file', ['/dev/null', at]).ended;
  assert.deepEqual([code, stderr], [1, `connect ENOENT ${at}\n`]);
});
