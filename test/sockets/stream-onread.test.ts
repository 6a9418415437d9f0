// UnixStream with `onread`: bytes go to the reader's own buffer. The first half plays each scenario with net.Socket, too.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UnixStream } from 'fdpass';
import { failureOf } from '../helpers/outcome';
import { openPipe } from '../helpers/pipe';
import { destroyAfter } from '../helpers/streams';
import { tmpDir } from '../helpers/tmp-dir';

type Onread = net.OnReadOpts;
type Reader = net.Socket | UnixStream;

const makers: [name: string, connect: (path: string, onread: Onread) => Reader][] = [
  ['net.Socket', (at, onread) => net.connect({ path: at, onread })],
  ['UnixStream', (at, onread) => UnixStream.connect(at, { onread })],
];

/** A reader that is connected to `writer`. */
async function open(t: TestContext, connect: (path: string, onread: Onread) => Reader, onread: Onread) {
  const at = path.join(tmpDir(t), 's');
  const server = net.createServer({ allowHalfOpen: true }).listen(at);
  await once(server, 'listening');
  const reader = connect(at, onread);
  const [writer] = (await once(server, 'connection')) as [net.Socket];
  server.close();
  destroyAfter<Reader>(t, reader, writer);
  return { reader, writer };
}

for (const [name, connect] of makers) {
  test(`${name}: every read is shown in the one buffer, and no data comes from the stream`, async (t) => {
    const buffer = Buffer.alloc(1_000);
    const pieces: string[] = [];
    const callback = (size: number, given: Uint8Array): boolean => {
      assert.equal(given, buffer);
      pieces.push(buffer.toString('latin1', 0, size));
      return true;
    };
    const { reader, writer } = await open(t, connect, { buffer, callback });
    const events: string[] = [];
    for (const event of ['data', 'end', 'close']) reader.on(event, () => events.push(event));
    const sent = Array.from({ length: 50 }, (_, index) => String(index).repeat(101)).join('');
    writer.end(sent);
    await once(reader, 'close');
    assert.equal(pieces.join(''), sent);
    assert.ok(pieces.every(({ length }) => length <= 1_000));
    assert.deepEqual(events, ['end', 'close']);
    assert.equal(reader.bytesRead, sent.length);
  });

  test(`${name}: a function gives a buffer for each read`, async (t) => {
    const made: Buffer[] = [];
    const buffer = (): Buffer => {
      made.push(Buffer.alloc(4));
      return made.at(-1) as Buffer;
    };
    const shown: Uint8Array[] = [];
    const callback = (size: number, given: Uint8Array): boolean => {
      shown.push(given.subarray(0, size));
      return true;
    };
    const { reader, writer } = await open(t, connect, { buffer, callback });
    writer.end('abcdefghij');
    await once(reader, 'close');
    assert.deepEqual(shown.map(String), ['abcd', 'efgh', 'ij']);
    assert.ok(shown.every(({ buffer: memory }, index) => memory === made[index]?.buffer));
  });

  test(`${name}: who returns false is shown nothing before resume(), and then all of it`, async (t) => {
    const shown: string[] = [];
    const callback = (size: number, given: Uint8Array): boolean => {
      shown.push(Buffer.from(given).toString('latin1', 0, size));
      return false;
    };
    const { reader, writer } = await open(t, connect, { buffer: Buffer.alloc(2), callback });
    writer.end('abcdef');
    for (let turns = 0; turns < 20 || shown.length < 1; turns++) await nextTurn();
    assert.deepEqual(shown, ['ab']);
    reader.resume();
    while (shown.length < 2) await nextTurn();
    for (let turns = 0; turns < 20; turns++) await nextTurn();
    assert.deepEqual(shown, ['ab', 'cd']);
    const closed = once(reader, 'close');
    const timer = setInterval(() => reader.resume(), 1);
    await closed;
    clearInterval(timer);
    assert.deepEqual(shown, ['ab', 'cd', 'ef']);
  });

  test(`${name}: pause() stops the callbacks until resume()`, async (t) => {
    let shown = '';
    const callback = (size: number, given: Uint8Array): boolean => {
      shown += Buffer.from(given).toString('latin1', 0, size);
      return true;
    };
    const { reader, writer } = await open(t, connect, { buffer: Buffer.alloc(100), callback });
    writer.write('first');
    while (shown === '') await nextTurn();
    reader.pause();
    writer.end('second');
    for (let turns = 0; turns < 20; turns++) await nextTurn();
    assert.equal(shown, 'first');
    reader.resume();
    await once(reader, 'close');
    assert.equal(shown, 'firstsecond');
  });
}

test('descriptors are told right before the bytes that they came with', async (t) => {
  const log: string[] = [];
  const callback = (size: number, given: Uint8Array): boolean => {
    log.push(Buffer.from(given).toString('latin1', 0, size));
    return true;
  };
  const [left, right] = UnixStream.pair({ maxFds: 1, onread: { buffer: Buffer.alloc(100), callback } });
  destroyAfter(t, left, right);
  right.on('fds', (fds) => {
    log.push(`fds ${fds.length}`);
    for (const fd of fds) fd.close();
  });
  const { reader: end } = openPipe(t);
  await left.send('b', { fds: [end] });
  await left.send('c', { fds: [end] });
  left.end();
  await once(right, 'close');
  assert.deepEqual(log, ['fds 1', 'b', 'fds 1', 'c']);
});

test('a buffer that was transferred away, or has no byte, ends the stream', async (t) => {
  let bytes = new Uint8Array(10);
  const transfer = (): boolean => {
    structuredClone(bytes.buffer, { transfer: [bytes.buffer] });
    return true;
  };
  const shrink = (): boolean => {
    bytes = new Uint8Array(0);
    return true;
  };
  for (const onread of [
    { buffer: bytes, callback: transfer },
    { buffer: () => bytes, callback: shrink },
  ]) {
    const [left, right] = UnixStream.pair({ onread });
    destroyAfter(t, left, right);
    left.on('error', () => {}); // it loses its peer
    left.write('twelve bytes');
    const [error] = (await once(right, 'error')) as [NodeJS.ErrnoException];
    assert.equal(error.code, 'ERR_FDPASS_DETACHED');
    bytes = new Uint8Array(10);
  }
});

test('a function that throws, or gives no buffer, ends the stream with its error', async (t) => {
  const wrongs: [error: object, next: () => Uint8Array][] = [
    [
      { message: 'no memory' },
      () => {
        throw new Error('no memory');
      },
    ],
    [{ code: 'ERR_INVALID_ARG_TYPE' }, () => 'text' as unknown as Uint8Array],
  ];
  for (const [expected, next] of wrongs) {
    let calls = 0;
    const buffer = (): Uint8Array => (calls++ < 2 ? new Uint8Array(4) : next());
    const [left, right] = UnixStream.pair({ onread: { buffer, callback: () => true } });
    destroyAfter(t, left, right);
    left.on('error', () => {}); // it loses its peer
    left.write('12345678');
    await assert.rejects(once(right, 'close'), expected);
  }
});

test('a wrong onread is told at once', async () => {
  const callback = (): boolean => true;
  const buffer = Buffer.alloc(1);
  const wrongs: [given: unknown, code: string][] = [
    [5, 'ERR_INVALID_ARG_TYPE'],
    [{ buffer }, 'ERR_INVALID_ARG_TYPE'],
    [{ callback }, 'ERR_INVALID_ARG_TYPE'],
    [{ buffer: 'text', callback }, 'ERR_INVALID_ARG_TYPE'],
    [{ buffer: () => 5, callback }, 'ERR_INVALID_ARG_TYPE'],
    [{ buffer: Buffer.alloc(0), callback }, 'ERR_OUT_OF_RANGE'],
  ];
  for (const [onread, code] of wrongs) {
    const error = await failureOf(() => UnixStream.pair({ onread: onread as Onread }));
    assert.equal(error.code, code);
    assert.match(error.message, /^options\.onread/);
  }
});

test('a function that destroys the stream reads from nobody else who has its number next', async (t) => {
  let victims: [UnixStream, UnixStream] | undefined;
  let calls = 0;
  const [left, right] = UnixStream.pair({
    onread: {
      buffer: () => {
        // The first two calls are of the constructors.
        if (++calls === 4) {
          right.destroy();
          victims = UnixStream.pair();
          for (const victim of victims) victim.write('for the other');
        }
        return Buffer.alloc(4);
      },
      callback: () => true,
    },
  });
  left.on('error', () => {});
  destroyAfter(t, left, right);
  left.write('123456789abcdef');
  await once(right, 'close');
  assert.ok(victims);
  destroyAfter(t, ...victims);
  for (const victim of victims) assert.equal(String((await once(victim, 'data'))[0]), 'for the other');
});

test('an array that lies about its length is EINVAL, and no end', async (t) => {
  class Liar extends Uint8Array {
    override get length(): number {
      return 100;
    }
  }
  const [left, right] = UnixStream.pair({ onread: { buffer: new Liar(10), callback: () => true } });
  destroyAfter(t, left, right);
  left.on('error', () => {}); // it loses its peer
  left.write('bytes');
  const [error] = (await once(right, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'EINVAL');
});
