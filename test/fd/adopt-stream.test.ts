// adoptReadStream, adoptWriteStream: files and devices as streams of node:fs, and who closes them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { openSync, readFileSync, readSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd } from 'fdpass';
import { adoptReadStream, adoptWriteStream } from '#fdpass/fd/adopt-stream';
import { fdCount, settledFdCount } from '../helpers/fd-count';
import { type Ending, tmpDir } from '../helpers/tmp-dir';

function fileWith(t: Ending, text: string): string {
  const name = path.join(tmpDir(t), 'file');
  writeFileSync(name, text);
  return name;
}

async function textOf(stream: AsyncIterable<string | Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

test('a file is read whole, the Fd is consumed, and the stream closes the descriptor', async (t) => {
  const name = fileWith(t, 'some text');
  const before = fdCount();
  const fd = Fd.adopt(openSync(name, 'r'));
  const number = fd.fd;
  const stream = adoptReadStream(fd);
  assert.equal(fd.fd, -1);
  assert.equal((stream as unknown as { fd: number }).fd, number);
  assert.equal(await textOf(stream), 'some text');
  assert.equal(fdCount(), before);
});

test('a part of a file is read, in chunks of the size and the encoding that were asked for', async (t) => {
  const fd = Fd.adopt(openSync(fileWith(t, '0123456789'), 'r'));
  const chunks: unknown[] = [];
  const options = { start: 2, end: 7, highWaterMark: 4, encoding: 'utf8' } as const;
  for await (const chunk of adoptReadStream(fd, options)) chunks.push(chunk);
  assert.deepEqual(chunks, ['2345', '67']);
});

test('without a start the shared file offset decides, and moves for everyone', async (t) => {
  const fd = Fd.adopt(openSync(fileWith(t, 'abcdef'), 'r'));
  using copy = Fd.dup(fd);
  readSync(copy.fd, Buffer.alloc(2));
  assert.equal(await textOf(adoptReadStream(fd)), 'cdef');
  assert.equal(readSync(copy.fd, Buffer.alloc(2)), 0);
});

test('a file is written where it was asked for', async (t) => {
  const name = fileWith(t, '..........');
  const before = fdCount();
  const fd = Fd.adopt(openSync(name, 'r+'));
  const stream = adoptWriteStream(fd, { start: 3, encoding: 'latin1' });
  assert.equal(fd.fd, -1);
  stream.write('ab');
  stream.write('c');
  stream.end('d');
  await once(stream, 'close');
  assert.equal(readFileSync(name, 'utf8'), '...abcd...');
  assert.equal(fdCount(), before);
});

test('several small writes go through writev() in order', async (t) => {
  const name = fileWith(t, '');
  const stream = adoptWriteStream(Fd.adopt(openSync(name, 'w')), { highWaterMark: 8 });
  const texts = Array.from({ length: 50 }, (_, i) => `${i},`);
  for (const text of texts) stream.write(text);
  stream.end();
  await once(stream, 'close');
  assert.equal(readFileSync(name, 'utf8'), texts.join(''));
});

test('a device is read and written', async () => {
  const zeros = adoptReadStream(Fd.adopt(openSync('/dev/zero', 'r')), { start: 0, end: 99 });
  assert.equal(await textOf(zeros), '\0'.repeat(100));
  const sink = adoptWriteStream(Fd.adopt(openSync('/dev/null', 'w')));
  sink.end('gone');
  await once(sink, 'close');
});

test('destroy() closes a stream that was never used', async (t) => {
  const name = fileWith(t, 'text');
  const before = await settledFdCount();
  for (const stream of [
    adoptReadStream(Fd.adopt(openSync(name, 'r'))),
    adoptWriteStream(Fd.adopt(openSync(name, 'r+'))),
  ]) {
    stream.destroy();
    await once(stream, 'close');
  }
  assert.equal(fdCount(), before);
});

test('options that node:fs refuses leave the descriptor to its owner', (t) => {
  const name = fileWith(t, 'text');
  using fd = Fd.adopt(openSync(name, 'r+'));
  assert.throws(() => adoptReadStream(fd, { start: 3, end: 1 }), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => adoptReadStream(fd, { start: 'x' as unknown as number }), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  assert.throws(() => adoptWriteStream(fd, { start: -1 }), { code: 'ERR_OUT_OF_RANGE' });
  assert.equal(readSync(fd.fd, Buffer.alloc(4)), 4);
});

test("options that would take the closing away are refused, and the descriptor stays its owner's", (t) => {
  const fd = Fd.adopt(openSync(fileWith(t, 'text'), 'r'));
  for (const name of ['autoClose', 'emitClose', 'fd', 'fs']) {
    const options = { [name]: undefined } as object;
    assert.throws(() => adoptReadStream(fd, options), { code: 'ERR_INVALID_ARG_VALUE' });
  }
  assert.equal(readSync(fd.fd, Buffer.alloc(4)), 4);
  fd.close();
});

test('a stream that is lost is closed by the collector, with a warning', async (t) => {
  assert.ok(global.gc, 'run with --expose-gc');
  const name = fileWith(t, 'text');
  const before = fdCount();
  const warned = once(process, 'warning') as Promise<[Error & { code: string }]>;
  (() => void adoptReadStream(Fd.adopt(openSync(name, 'r'))))();
  while (fdCount() > before) {
    global.gc();
    await nextTurn();
  }
  const [{ code, message }] = await warned;
  assert.equal(code, 'FDPASS_LOST_FD');
  assert.match(message, /: its stream of node:fs was lost while open\. Call destroy\(\)\.$/);
});
