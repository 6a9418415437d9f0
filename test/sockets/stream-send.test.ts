// send() on a stream: in order with write(), with a deadline, a signal, credentials, and errors that leave the stream usable.
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import test from 'node:test';
import { Fd, UnixStream } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { start, startFixture } from '../helpers/child';
import { settledFdCount } from '../helpers/fd-count';
import { isRoot } from '../helpers/nobody';
import { failureOf } from '../helpers/outcome';
import { openPipe, readNow } from '../helpers/pipe';
import { fill, openPair, textOf } from '../helpers/streams';

const self = { pid: process.pid, uid: process.getuid?.() as number, gid: process.getgid?.() as number };

test('send() and write() go in the order of their calls', async (t) => {
  const [left, right] = openPair(t, { maxFds: 1 });
  const bytes = fill(left);
  const sending = [left.send('1', { fds: [0] }), left.send('2')];
  left.write('3');
  sending.push(left.send('4', { fds: [0] }));
  left.end('5');
  right.on('fds', ([fd]) => fd?.close());
  assert.equal((await textOf(right)).slice(bytes), '12345');
  await Promise.all(sending);
});

for (const cause of ['timeout', 'signal'] as const) {
  const options = (): { timeout?: number; signal?: AbortSignal } =>
    cause === 'timeout' ? { timeout: 20 } : { signal: AbortSignal.timeout(20) };
  const code = cause === 'timeout' ? 'ERR_FDPASS_TIMEOUT' : 'ABORT_ERR';

  test(`${cause}: what has not begun to go is taken back, and the stream goes on`, async (t) => {
    const [left, right] = openPair(t, { maxFds: 1 });
    const { reader, writer } = openPipe(t);
    const bytes = fill(left);
    left.write('before ');
    const late = failureOf(left.send('late ', { ...options(), fds: [writer] }));
    const after = left.send('after', { fds: [0] });
    writer.close();
    assert.equal((await late).code, code);
    assert.equal(readNow(reader), '', 'its descriptors are closed');
    left.end();
    right.on('fds', ([fd]) => fd?.close());
    assert.equal((await textOf(right)).slice(bytes), 'before after');
    await after;
  });

  test(`${cause}: what has gone by half destroys the stream`, async (t) => {
    const [left, right] = openPair(t, { maxFds: 1 });
    const failed = once(left, 'error');
    const error = await failureOf(left.send(Buffer.alloc(3_000_000), { ...options(), fds: [0] }));
    assert.equal(error.code, code);
    assert.equal((await failed)[0], error);
    assert.ok(left.destroyed);
    right.on('fds', ([fd]) => fd?.close());
    assert.ok((await textOf(right)).length < 3_000_000);
  });

  test(`${cause}: taken back as the only one, it holds up neither 'drain' nor end()`, async (t) => {
    const [ours, theirs] = RawSocket.pair('stream');
    const left = UnixStream.adopt(ours.detach());
    t.after(() => {
      left.destroy();
      theirs.close();
    });
    const direct = RawSocket.adopt(Fd.dup(left));
    assert.equal((await failureOf(() => fillRaw(direct))).code, 'EAGAIN');
    direct.close();
    const late = failureOf(left.send('late', options()));
    assert.equal(left.writableLength, 4);
    const finished = once(left.end(), 'finish');
    assert.equal((await late).code, code);
    await finished;
    assert.equal(left.bytesWritten, 0);
  });
}

function fillRaw(socket: RawSocket): never {
  for (;;) socket.send(Buffer.alloc(1000));
}

test('a signal that comes when all has gone changes nothing, and no listener is left', async (t) => {
  const [left, right] = openPair(t);
  const controller = new AbortController();
  const { signal } = controller;
  const sending = left.send('x', { signal });
  controller.abort();
  await sending;
  assert.equal(left.destroyed, false);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
  left.end();
  assert.equal(await textOf(right), 'x');
});

test('a signal that is aborted already, a wrong timeout and wrong bytes send nothing', async (t) => {
  const [left, right] = openPair(t);
  assert.equal((await failureOf(left.send('never', { signal: AbortSignal.abort() }))).name, 'AbortError');
  for (const timeout of [0, -1, 1.5]) {
    assert.equal((await failureOf(left.send('never', { timeout }))).code, 'ERR_OUT_OF_RANGE');
  }
  assert.equal((await failureOf(left.send(5 as unknown as string))).code, 'ERR_INVALID_ARG_TYPE');
  assert.equal((await failureOf(left.send('x', { fds: 5 as unknown as Fd[] }))).code, 'ERR_INVALID_ARG_TYPE');
  left.end();
  assert.equal(await textOf(right), '');
});

test('whatever waits in the middle of a queue can be taken back', async (t) => {
  const [left, right] = openPair(t, { maxFds: 1 });
  const bytes = fill(left);
  const controllers = Array.from({ length: 20 }, () => new AbortController());
  const outcomes = controllers.map(({ signal }, index) =>
    left.send(`${index},`, { signal, fds: index % 2 === 0 ? [0] : [] }).then(
      () => index,
      () => -1,
    ),
  );
  controllers.forEach((controller, index) => {
    if (index % 3 !== 0) controller.abort();
  });
  left.end();
  right.on('fds', ([fd]) => fd?.close());
  const text = (await textOf(right)).slice(bytes);
  assert.equal(text, '0,3,6,9,12,15,18,');
  assert.deepEqual(
    (await Promise.all(outcomes)).filter((index) => index !== -1),
    [0, 3, 6, 9, 12, 15, 18],
  );
});

test('destroy() tells everybody who waits, and closes what they lent', async () => {
  const before = await settledFdCount();
  const [left, right] = UnixStream.pair({ maxFds: 1 });
  fill(left);
  const waiting = [left.send('a', { fds: [0] }), left.send('b', { fds: [0, 0] }), left.send('c')].map(
    failureOf,
  );
  left.destroy();
  const codes = (await Promise.all(waiting)).map(({ code }) => code);
  assert.deepEqual(new Set(codes), new Set(['ERR_FDPASS_CLOSED']));
  assert.equal((await failureOf(left.send('d'))).code, 'ERR_FDPASS_CLOSED');
  right.destroy();
  assert.equal(await settledFdCount(), before);
});

test('a peer that refuses descriptors costs that send() and no more', async (t) => {
  const [left, right] = openPair(t); // maxFds 0
  const error = await left.send('unasked', { fds: [0] }).catch((failure) => failure);
  if (error !== undefined) {
    assert.equal(error.code, 'EPERM'); // Linux 6.16 and later
    assert.match(error.message, /maxFds/);
  }
  left.end('still usable');
  assert.equal((await textOf(right)).replace('unasked', ''), 'still usable');
});

test('too many descriptors in flight, no room for one: told where it happens, and the stream goes on', async (t) => {
  if (!isRoot) return t.skip('the fixture becomes another user');
  const child = startFixture(t, 'stream-descriptor-limits');
  const { code, signal, stdout, stderr } = await child.ended;
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), {
    inFlight: 'ETOOMANYREFS',
    usable: 'usable',
    dropped: true,
    received: 0,
    late: 'late',
  });
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('credentials: who writes is told once, before the first of his bytes, and again when another one does', async (t) => {
  const [left, right] = openPair(t, { credentials: true });
  const log: string[] = [];
  right.on('credentials', ({ pid }) => log.push(pid === process.pid ? 'we' : 'another'));
  right.on('data', (chunk) => log.push(`${chunk}`));
  for (const text of ['a', 'b']) {
    const arrived = once(right, 'data');
    await left.send(text);
    await arrived;
  }
  const third = once(right, 'data');
  const child = start(t, 'sh', ['-c', 'printf child >&3'], { stdio: ['pipe', 'pipe', 'pipe', left.fd] });
  await third;
  await child.ended;
  const fourth = once(right, 'data');
  await left.send('d', { credentials: self });
  await fourth;
  assert.deepEqual(log, ['we', 'a', 'b', 'another', 'child', 'we', 'd']);
});

test('credentials of another user are refused to whoever may not, and the stream goes on', async (t) => {
  const [left, right] = openPair(t, { credentials: true });
  const foreign = { ...self, pid: 2 ** 30 };
  const error = await failureOf(left.send('x', { credentials: foreign }));
  assert.ok(['EPERM', 'ESRCH'].includes(error.code), error.code);
  left.end('usable');
  assert.equal(await textOf(right), 'usable');
});
