// UnixStream as a Duplex: bytes both ways, in every way of reading and writing, backpressure, and the end.
import assert from 'node:assert/strict';
import { AsyncLocalStorage } from 'node:async_hooks';
import { once } from 'node:events';
import { Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import test from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { Fd, UnixStream } from 'fdpass';
import { MSG, POLL, RawSocket, SO, SOL_SOCKET } from 'fdpass/raw';
import { settledFdCount } from '../helpers/fd-count';
import { failureOf } from '../helpers/outcome';
import { seeded } from '../helpers/random';
import { fill, openPair, streamKinds, textOf } from '../helpers/streams';

/** The other end of a stream, one call at a time. */
function openRaw(
  t: { after(clean: () => void): void },
  options = {},
): { stream: UnixStream; raw: RawSocket } {
  const [ours, theirs] = RawSocket.pair('stream');
  const stream = UnixStream.adopt(ours.detach(), options);
  t.after(() => {
    stream.destroy();
    theirs.close();
  });
  return { stream, raw: theirs };
}

/** Unlike buffer() this leaves the stream alone at its end: it may still have to write. */
async function bytesOf(stream: UnixStream): Promise<Buffer> {
  const chunks: Buffer[] = [];
  stream.on('data', (chunk: Buffer) => chunks.push(chunk));
  await once(stream, 'end');
  return Buffer.concat(chunks);
}

for (const kind of streamKinds) {
  test(`${kind.title}: 6 MiB go both ways at once, unchanged and counted`, async (t) => {
    const [client, server] = await kind.open(t);
    const data = [seeded(1), seeded(2)].map((random) => Buffer.alloc(6 * 1024 * 1024, random.bytes(4099)));
    client.end(data[0]);
    server.end(data[1]);
    const [atClient, atServer] = await Promise.all([bytesOf(client), bytesOf(server)]);
    assert.ok(atServer.equals(data[0] as Buffer));
    assert.ok(atClient.equals(data[1] as Buffer));
    assert.deepEqual([client.bytesWritten, server.bytesRead], [atServer.length, atServer.length]);
  });

  test(`${kind.title}: after the end of one end the other may still write, if half-open is allowed`, async (t) => {
    const [client, server] = await kind.open(t, { allowHalfOpen: true });
    client.end('question');
    assert.equal(await textOf(server), 'question');
    assert.equal(server.destroyed, false);
    server.end('answer');
    assert.equal(await text(client), 'answer');
    await Promise.all([client, server].map(async (end) => end.closed || (await once(end, 'close'))));
  });

  test(`${kind.title}: closeRead() ends what comes, and the peer cannot write any more`, async (t) => {
    const [client, server] = await kind.open(t, { allowHalfOpen: true });
    server.on('error', () => {});
    await server.send('before');
    assert.equal(client.closeRead(), client);
    assert.equal(await textOf(client), 'before');
    assert.equal((await failureOf(server.send('after'))).code, 'EPIPE');
    assert.equal(client.destroyed, false);
  });

  test(`${kind.title}: bytes of a peer that has gone come before its ECONNRESET`, async (t) => {
    const [client, server] = await kind.open(t);
    const peer = RawSocket.adopt(Fd.dup(server));
    server.pause();
    fill(client);
    peer.send('reply');
    server.destroy();
    peer.close();
    const seen: string[] = [];
    client.on('data', (chunk) => seen.push(`${chunk}`)).on('error', (error) => seen.push(String(error)));
    await new Promise((resolve) => client.once('close', resolve));
    assert.deepEqual(seen, ['reply', 'Error: recvmsg ECONNRESET']);
  });
}

type Reading = [title: string, read: (stream: UnixStream) => Promise<string>];

const waysToRead: Reading[] = [
  [
    'for await',
    async (stream) => {
      let all = '';
      for await (const chunk of stream) all += chunk;
      return all;
    },
  ],
  ['stream/consumers', text],
  ["'data'", textOf],
  [
    "'readable' and read()",
    async (stream) => {
      let all = '';
      stream.on('readable', () => {
        for (let chunk = stream.read(); chunk !== null; chunk = stream.read()) all += chunk;
      });
      await once(stream, 'end');
      return all;
    },
  ],
  [
    'read(1)',
    async (stream) => {
      let all = '';
      stream.on('readable', () => {
        for (let chunk = stream.read(1); chunk !== null; chunk = stream.read(1)) all += chunk;
      });
      await once(stream, 'end');
      return all;
    },
  ],
  [
    'pipe() into another one',
    async (stream) => {
      const [writer, reader] = UnixStream.pair();
      stream.pipe(writer);
      return await text(reader);
    },
  ],
];

for (const [title, read] of waysToRead) {
  test(`all characters come whole, by ${title}`, async (t) => {
    const { stream, raw } = openRaw(t);
    const expected = 'é€😀x'.repeat(20);
    const bytes = Buffer.from(expected);
    const reading = read(stream.setEncoding('utf8') as UnixStream);
    for (let at = 0; at < bytes.length; at += 3) {
      raw.send(bytes.subarray(at, at + 3));
      if (at % 2 === 0) await nextTurn();
    }
    raw.close();
    assert.equal(await reading, expected);
  });
}

test('thousands of small writes under a cork go in order, more than one sendmsg takes', async (t) => {
  const [left, right] = openPair(t);
  const parts = Array.from({ length: 5000 }, (_, index) => (index % 7 === 0 ? '' : `${index},`));
  left.cork();
  for (const part of parts) left.write(part);
  process.nextTick(() => left.uncork());
  left.end();
  assert.equal(await text(right), parts.join(''));
});

test('a corked write is one sendmsg: the peer receives it in one piece', async (t) => {
  const { stream, raw } = openRaw(t);
  stream.cork();
  for (const part of ['a', 'b', 'c']) stream.write(part);
  assert.equal(raw.poll(1), 0);
  stream.uncork();
  // One segment: a descriptor-less reader would merge several, so peek at what one call has queued.
  assert.equal(raw.queuedBytes, 3);
  assert.equal(raw.receive().data.toString(), 'abc');
});

test('buffers that a partial send cut go on where it stopped', async (t) => {
  const [left, right] = openPair(t, { sendBufferSize: 4096 });
  const parts = Array.from({ length: 50 }, (_, index) => Buffer.alloc(1 + index * 333, index));
  left.cork();
  for (const part of parts) left.write(part);
  left.uncork();
  left.end();
  assert.ok((await buffer(right)).equals(Buffer.concat(parts)));
});

test('a writer waits for its reader and for nothing else', async (t) => {
  const [left, right] = openPair(t);
  assert.equal(left.write(Buffer.alloc(4_000_000)), false);
  const before = process.cpuUsage();
  await delay(200); // the time in which a busy loop would show
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 100_000, `${user + system} us of CPU in 200 ms`);
  assert.ok(left.bytesWritten < 1_000_000, `${left.bytesWritten}`);
  assert.ok(right.readableLength <= 512 * 1024, `${right.readableLength}`);
  const drained = once(left, 'drain');
  right.resume();
  await drained;
  assert.equal(left.writableLength, 0);
});

test('a writer uses the room that a reader has just made, before poll(2) tells of any', async (t) => {
  const { stream, raw } = openRaw(t, { sendBufferSize: 100_000 });
  const own = RawSocket.adopt(Fd.dup(stream));
  t.after(() => own.close());
  stream.write(Buffer.alloc(1_000_000));
  for (let reads = 0; reads < 4; reads++) {
    const sent = stream.bytesWritten;
    raw.receive({ buffers: Math.ceil(raw.queuedBytes / 2) });
    assert.equal(own.poll(POLL.OUT), 0);
    await nextTurn();
    assert.ok(stream.bytesWritten > sent, `${stream.bytesWritten} bytes after ${sent}`);
  }
});

test('a writer of many small parts goes on while there is room, whatever poll(2) tells', async (t) => {
  const { stream, raw } = openRaw(t, { sendBufferSize: 100_000 });
  const own = RawSocket.adopt(Fd.dup(stream));
  t.after(() => own.close());
  const bytes = Buffer.alloc(3000);
  stream.cork();
  const all = Array.from({ length: 30 }, () => stream.send(bytes));
  stream.uncork();
  await Promise.all(all); // nobody reads
  assert.equal(own.poll(POLL.OUT), 0);
  assert.equal(raw.queuedBytes, 30 * bytes.length);
});

test('a writer that waits is told that its peer takes no more, after what the peer has sent', async (t) => {
  const { stream, raw } = openRaw(t);
  const seen: string[] = [];
  stream.on('data', (data) => seen.push(`${data}`)).on('error', (error) => seen.push(`${error}`));
  stream.write(Buffer.alloc(1_000_000));
  raw.send('last words');
  raw.shutdown('read'); // for poll(2) nothing has changed
  await new Promise((resolve) => stream.once('close', resolve));
  assert.deepEqual(seen, ['last words', 'Error: sendmsg EPIPE']);
});

test('what a writer had to wait for comes in the context of whoever made the stream', async (t) => {
  const context = new AsyncLocalStorage<string>();
  const [left, right] = context.run('maker', () => openPair(t));
  right.resume();
  const store = await new Promise((resolve) => {
    context.run('writer', () => left.write(Buffer.alloc(1_000_000), () => resolve(context.getStore())));
  });
  assert.equal(store, 'maker');
});

test('pipeline() brings everything and ends all', async (t) => {
  const [left, right] = openPair(t);
  const lines = Array.from({ length: 2000 }, (_, index) => `line ${index}\n`);
  const arriving = text(right);
  await pipeline(Readable.from(lines), left);
  assert.equal(await arriving, lines.join(''));
});

test('pipeline() destroys the stream when its source fails', async (t) => {
  const [left, right] = openPair(t);
  right.resume();
  const source = Readable.from(
    (function* () {
      yield 'x';
      throw new Error('source');
    })(),
  );
  assert.equal((await failureOf(pipeline(source, left))).message, 'source');
  assert.ok(left.destroyed);
  if (!right.closed) await once(right, 'close');
});

test('an urgent byte comes in its place and spins nothing', async (t) => {
  const { stream, raw } = openRaw(t);
  raw.send('a');
  raw.send('b', { flags: MSG.OOB });
  raw.send('c');
  let all = '';
  stream.on('data', (chunk) => (all += chunk));
  while (all.length < 3) await once(stream, 'data');
  assert.equal(all, 'abc');
  raw.send('!', { flags: MSG.OOB });
  await once(stream, 'data');
  const before = process.cpuUsage();
  await delay(100); // the time in which a busy loop would show
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 50_000, `${user + system} us of CPU in 100 ms`);
  assert.equal(all, 'abc!');
});

test('bytes that are transferred to another thread while they wait destroy the stream', async (t) => {
  const [left, right] = openPair(t);
  const bytes = new Uint8Array(4_000_000);
  left.write(bytes);
  structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
  right.resume();
  const [error] = (await once(left, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ERR_FDPASS_DETACHED');
});

test('a stream that nobody reads sees the end of its peer all the same', async (t) => {
  const { stream, raw } = openRaw(t);
  raw.close();
  await once(stream, 'close');
});

test('write() after end() is an error, and what came before it has gone', async (t) => {
  const [left, right] = openPair(t);
  left.end('x');
  const failed = once(left, 'error');
  left.write('y');
  assert.equal(((await failed)[0] as NodeJS.ErrnoException).code, 'ERR_STREAM_WRITE_AFTER_END');
  assert.equal(await text(right), 'x');
});

test('sendBufferSize bounds what is on its way', async (t) => {
  const [left] = openPair(t, { sendBufferSize: 4608 });
  left.write(Buffer.alloc(1_000_000));
  assert.ok(left.bytesWritten < 20_000, `${left.bytesWritten}`);
  const raw = RawSocket.adopt(Fd.dup(left));
  t.after(() => raw.close());
  assert.equal(raw.getOption(SOL_SOCKET, SO.SNDBUF), 2 * 4608);
});

test('wrong options are refused and nothing stays open', async () => {
  const before = await settledFdCount();
  for (const options of [
    null,
    5,
    { maxFds: 254 },
    { maxFds: '1' },
    { highWaterMark: -1 },
    { sendBufferSize: 0 },
    { signal: 5 },
  ] as object[]) {
    assert.throws(() => UnixStream.pair(options), /^(Range|Type)Error/);
    assert.throws(() => UnixStream.connect('@nobody', options), /^(Range|Type)Error/);
    const [left, right] = RawSocket.pair('stream');
    const fd = left.detach();
    assert.throws(() => UnixStream.adopt(fd, options), /^(Range|Type)Error/);
    assert.notEqual(fd.fd, -1, 'not consumed');
    fd.close();
    right.close();
  }
  assert.throws(() => UnixStream.connect('@nobody', { timeout: 0 }), RangeError);
  assert.throws(() => UnixStream.connect('@nobody', { localAddress: 5 as unknown as string }), TypeError);
  assert.equal(await settledFdCount(), before);
});

for (const size of [1_000, 5_000, 60_000]) {
  test(`who transfers a piece of ${size} bytes away takes no other byte of the stream with it`, async (t) => {
    const [left, right] = openPair(t);
    let first = true;
    let bytes = 0;
    right.on('data', (data: Buffer) => {
      bytes += data.length;
      if (!first) return;
      first = false;
      right.pause(); // more waits in its buffer
      setTimeout(() => {
        try {
          structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
        } catch (error) {
          assert.equal((error as Error).name, 'DataCloneError');
        }
        right.resume();
      }, 5);
    });
    for (let count = 0; count < 10; count++) {
      left.write(Buffer.alloc(size));
      await nextTurn();
    }
    left.end();
    await once(right, 'end');
    assert.equal(bytes, 10 * size);
  });
}

test('small parts that wait in a stream keep no more memory than twice their size', async (t) => {
  const [slowLeft, slow] = openPair(t);
  const [busyLeft, busy] = openPair(t);
  slow.on('readable', () => {}); // it reads ahead, and nobody takes what it has
  busy.resume();
  const before = process.memoryUsage().arrayBuffers;
  const count = 500;
  for (let sent = 0; sent < count; sent++) {
    slowLeft.write('x');
    await new Promise((resolve) => busyLeft.write(Buffer.alloc(20_000), resolve));
    while (slow.readableLength < sent + 1) await nextTurn();
  }
  // V8 frees the memory of what it has collected in a thread of its own.
  let kept = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 200 && kept >= 8_000_000; round++) {
    global.gc?.();
    await delay(10);
    kept = process.memoryUsage().arrayBuffers - before;
  }
  assert.ok(kept < 8_000_000, `${kept} bytes are kept for ${count}`);
});
