// Descriptors of a stream: they come with the bytes that they were sent with, whole, once, and are never lost or left open.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Fd, type FdsInfo, UnixStream } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { MAX_FDS_PER_MESSAGE } from '#fdpass/base/limits';
import { startFixture } from '../helpers/child';
import { identity, isCloseOnExec, settledFdCount } from '../helpers/fd-count';
import { failureOf } from '../helpers/outcome';
import { openPipe, readNow, writeNow } from '../helpers/pipe';
import { fill, openPair, streamKinds, textOf } from '../helpers/streams';

/** 'fds 1', 'data x', ... in the order of the events; descriptors are closed. */
function record(stream: UnixStream): string[] {
  const log: string[] = [];
  stream.on('fds', (fds, info) => {
    log.push(`fds ${fds.length}${info.dropped ? ' dropped' : ''}`);
    for (const fd of fds) fd.close();
  });
  stream.on('data', (chunk) => log.push(`data ${chunk}`));
  for (const event of ['end', 'close'] as const) stream.on(event, () => log.push(event));
  return log;
}

/** Neighbouring data as one. */
function joined(log: readonly string[]): string[] {
  const result: string[] = [];
  for (const entry of log) {
    const joins = entry.startsWith('data ') && result.at(-1)?.startsWith('data ');
    if (joins) result.push(`${result.pop()}${entry.slice(5)}`);
    else result.push(entry);
  }
  return result;
}

async function sendTwo(stream: UnixStream): Promise<void> {
  await stream.send('a', { fds: [0] });
  await stream.send('b', { fds: [0, 1] });
}

for (const kind of streamKinds) {
  test(`${kind.title}: a passed descriptor is the same file, close-on-exec, and the sender keeps its own`, async (t) => {
    const [client, server] = await kind.open(t, { maxFds: 1 });
    const { reader, writer } = openPipe(t);
    await client.send('take', { fds: [writer] });
    const [[fd], info] = (await once(server.resume(), 'fds')) as [[Fd], FdsInfo];
    assert.deepEqual(info, { dropped: false });
    assert.equal(identity(fd.fd), identity(writer.fd));
    assert.ok(isCloseOnExec(fd.fd));
    writer.close();
    writeNow(fd, 'through');
    assert.equal(readNow(reader), 'through');
    fd.close();
    assert.equal(readNow(reader), '', 'every copy of the writing end is closed');
  });

  test(`${kind.title}: 'fds' comes right before the data, behind all that was sent before`, async (t) => {
    const [client, server] = await kind.open(t, { maxFds: 2 });
    client.write('1');
    void client.send('2', { fds: [0] });
    client.write('3');
    client.write('4');
    void client.send('5', { fds: [0, 0] });
    void client.send('6', { fds: [0] });
    client.end('7');
    const log = record(server);
    await once(server, 'close');
    // The kernel joins plain bytes and those behind them that carry descriptors: 'fds' is never too late. unix(7)
    assert.deepEqual(joined(log), [
      'fds 1',
      'data 12',
      'fds 2',
      'data 345',
      'fds 1',
      'data 67',
      'end',
      'close',
    ]);
  });

  test(`${kind.title}: 253 descriptors arrive in order`, async (t) => {
    const [client, server] = await kind.open(t, { maxFds: MAX_FDS_PER_MESSAGE });
    const { reader, writer } = openPipe(t);
    const sent = Array.from({ length: MAX_FDS_PER_MESSAGE }, (_, i) => (i % 3 === 0 ? writer : reader));
    await client.send('many', { fds: sent });
    const [fds] = (await once(server.resume(), 'fds')) as [Fd[]];
    assert.deepEqual(
      fds.map(({ fd }) => identity(fd)),
      sent.map(({ fd }) => identity(fd)),
    );
    for (const fd of fds) fd.close();
  });
}

/** Ways to begin to read when descriptors have arrived long ago. */
const readers: Record<string, (stream: UnixStream) => unknown> = {
  "'data'": (stream) => stream.on('data', () => {}).resume(),
  "'readable' and read()": (stream) => stream.on('readable', () => void stream.read()),
  "once('readable')": (stream) => stream.once('readable', () => void stream.read()),
  'read() alone': (stream) => stream.read(),
  'for await': async (stream) => {
    for await (const _ of stream);
  },
  'resume()': (stream) => stream.resume(),
  'pipe()': (stream) => stream.pipe(new PassThrough()),
};

for (const [title, read] of Object.entries(readers)) {
  for (const before of ['untouched', 'paused', 'paused in the middle']) {
    test(`descriptors wait for whoever reads by ${title}, the stream was ${before}`, async (t) => {
      const [left, right] = openPair(t, { maxFds: 1 });
      if (before === 'paused') right.pause();
      if (before === 'paused in the middle') {
        await left.send('x');
        await once(right, 'data');
        right.removeAllListeners('data').pause();
      }
      await left.send('late', { fds: [0] });
      let seen = 0;
      right.on('fds', ([fd]) => {
        seen++;
        fd?.close();
      });
      for (let turn = 0; turn < 5; turn++) await nextTurn();
      assert.equal(seen, 0, 'not while nobody reads');
      void (read(right) as Promise<void> | undefined)?.catch?.(() => {});
      await once(right, 'fds');
      assert.equal(seen, 1);
    });
  }
}

test('a stream that is paused between two descriptors gives the second when it goes on', async (t) => {
  const [left, right] = openPair(t, { maxFds: 2 });
  const log = record(right);
  right.once('data', () => right.pause());
  const first = once(right, 'data');
  await sendTwo(left);
  await first;
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.deepEqual(log, ['fds 1', 'data a']);
  right.resume();
  await once(right, 'data');
  assert.deepEqual(log, ['fds 1', 'data a', 'fds 2', 'data b']);
});

test("a listener of 'fds' may pause the stream: its data comes when it goes on", async (t) => {
  const [left, right] = openPair(t, { maxFds: 2 });
  const log = record(right);
  right.once('fds', () => right.pause());
  const first = once(right, 'fds');
  await sendTwo(left);
  await first;
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.deepEqual(log, ['fds 1']);
  left.end();
  right.resume();
  await once(right, 'close');
  assert.deepEqual(log, ['fds 1', 'data a', 'fds 2', 'data b', 'end', 'close']);
});

test("without a listener for 'fds' they are closed", async (t) => {
  const [left, right] = openPair(t, { maxFds: 1 });
  const { reader, writer } = openPipe(t);
  await left.send('x', { fds: [writer] });
  writer.close();
  await once(right, 'data');
  assert.equal(readNow(reader), '');
});

test('descriptors that wait are closed with the stream', async (t) => {
  const [left, right] = openPair(t, { maxFds: 1 });
  const { reader, writer } = openPipe(t);
  await left.send('x', { fds: [writer] });
  await left.send('y', { fds: [writer] });
  writer.close();
  for (let turn = 0; turn < 3; turn++) await nextTurn();
  assert.equal(readNow(reader), undefined);
  right.destroy();
  assert.equal(readNow(reader), '');
});

for (const where of ['fds', 'credentials'] as const) {
  test(`a listener of '${where}' that destroys the stream leaves nothing open`, async (t) => {
    const [left, right] = openPair(t, { maxFds: 1, credentials: true });
    const { reader, writer } = openPipe(t);
    await left.send('x', { fds: [writer] });
    writer.close();
    const log: string[] = [];
    right.on('data', () => log.push('data'));
    right.on(where, (value: unknown) => {
      right.destroy();
      if (where === 'fds') for (const fd of value as Fd[]) fd.close();
    });
    await once(right, 'close');
    assert.deepEqual(log, []);
    assert.equal(readNow(reader), '');
  });
}

test('a listener that throws costs neither bytes nor descriptors', async (t) => {
  const child = startFixture(t, 'throwing-fds-listener');
  const { code, signal, stdout, stderr } = await child.ended;
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), {
    thrown: ['credentials', 'fds'],
    fds: 2,
    text: 'ab',
  });
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('more than maxFds are closed and told, those that fit are kept', async (t) => {
  const [left, right] = openPair(t, { maxFds: 1 });
  const pipes = [openPipe(t), openPipe(t), openPipe(t)];
  await left.send('three', { fds: pipes.map(({ writer }) => writer) });
  for (const { writer } of pipes) writer.close();
  const [fds, info] = (await once(right.resume(), 'fds')) as [Fd[], FdsInfo];
  t.after(() => {
    for (const fd of fds) fd.close();
  });
  assert.deepEqual(info, { dropped: true });
  assert.deepEqual(
    pipes.map(({ reader }) => readNow(reader)),
    [undefined, '', ''],
  );
});

test('descriptors without a byte are a RangeError: a stream would drop them', async (t) => {
  const [left] = openPair(t, { maxFds: 1 });
  assert.equal((await failureOf(left.send('', { fds: [0] }))).code, 'ERR_OUT_OF_RANGE');
  const credentials = { pid: process.pid, uid: 0, gid: 0 };
  assert.equal((await failureOf(left.send('', { credentials }))).code, 'ERR_OUT_OF_RANGE');
  await left.send('');
});

test('a refused or wrong descriptor fails alone, whether the peer is full or not', async (t) => {
  const number = 2 ** 30; // nothing is open there
  for (const full of [false, true]) {
    const [left, right] = openPair(t, { maxFds: 1 });
    if (full) fill(left);
    left.write('before ');
    const error = await failureOf(left.send('bad', { fds: [number] }));
    assert.equal(error.code, 'EBADF');
    left.end('after');
    assert.ok((await textOf(right)).endsWith('before after'));
  }
});

test('descriptors that wait for a full peer may be closed by the sender, and go once', async (t) => {
  const [left, right] = openPair(t, { maxFds: 1 });
  const { reader, writer } = openPipe(t);
  const bytes = fill(left);
  const count = await settledFdCount();
  const sending = left.send(Buffer.alloc(3_000_000, 'w'), { fds: [writer] });
  assert.equal(await settledFdCount(), count + 1, 'a duplicate waits');
  writer.close();
  let at: number | undefined;
  let seen = 0;
  right.on('fds', ([fd]) => {
    seen++;
    at = right.bytesRead;
    writeNow(fd as Fd, 'alive');
    fd?.close();
  });
  left.end();
  const text = await textOf(right);
  await sending;
  assert.equal(seen, 1, 'not again with the rest of the bytes');
  assert.ok((at ?? 0) > bytes, 'behind the bytes that were written before');
  assert.equal(text.length, bytes + 3_000_000);
  assert.equal(readNow(reader), 'alive');
  assert.equal(readNow(reader), '', 'the duplicate is closed, too');
});

test('what a foreign sender passes before maxFds is known is closed, and told', async (t) => {
  const [theirs, ours] = RawSocket.pair('stream');
  t.after(() => theirs.close());
  const { reader, writer } = openPipe(t);
  theirs.send('x', { fds: [writer] });
  writer.close();
  const stream = UnixStream.adopt(ours.detach()); // maxFds 0
  t.after(() => void stream.destroy());
  const [fds, info] = (await once(stream.resume(), 'fds')) as [Fd[], FdsInfo];
  assert.deepEqual({ fds, info }, { fds: [], info: { dropped: true } });
  assert.equal(readNow(reader), '');
});
