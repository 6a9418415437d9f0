// A full peer: what send(), trySend() and sendMany() do until there is room.
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { type Fd, type Message, UnixDatagram, UnixSeqpacket } from 'fdpass';
import { MAX_BATCH, MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES } from '#fdpass/base/limits';
import { Inbox } from '#fdpass/sockets/inbox';
import { validateSocketOptions } from '#fdpass/sockets/message';
import { freshName } from '../helpers/address-name';
import { settledFdCount } from '../helpers/fd-count';
import { closeAfter, type Link, type LinkKind, linkKinds } from '../helpers/link';
import { failureOf } from '../helpers/outcome';
import { openPipe, readNow, writeNow } from '../helpers/pipe';

/** A sender without a peer that names the receiver each time: poll(2) is of no help to it. */
const unconnected: LinkKind = {
  title: 'dgram, unconnected',
  type: 'dgram',
  async open(t: TestContext, options = {}) {
    const to = `@${freshName()}`;
    const receiver = new UnixDatagram(options).bind(to);
    const sender = new UnixDatagram();
    closeAfter(t, sender, receiver);
    return {
      sender,
      receiver,
      send: (data, sendOptions) => sender.send(data, to, sendOptions),
      trySend: (data, sendOptions) => sender.trySend(data, to, sendOptions),
      receive: () => receiver.receive(),
    };
  },
};

/** Gives the number of messages '0', '1', ... that wait at the receiver. */
function fill(link: Link): number {
  let count = 0;
  while (link.trySend(`${count}`)) count++;
  assert.ok(count > 0);
  return count;
}

async function receiveTexts(link: Link, count: number): Promise<string[]> {
  const texts: string[] = [];
  for (let i = 0; i < count; i++) texts.push((await link.receive()).data.toString());
  return texts;
}

function numbers(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `${i}`);
}

for (const kind of [...linkKinds, unconnected]) {
  test(`${kind.title}: trySend is false while the peer is full and true later`, async (t) => {
    const link = await kind.open(t);
    const count = fill(link);
    assert.equal(link.trySend('no'), false);
    await receiveTexts(link, count);
    assert.equal(link.trySend('yes'), true);
    assert.equal((await link.receive()).data.toString(), 'yes');
  });

  test(`${kind.title}: send() waits for room and keeps the order, trySend() does not overtake`, async (t) => {
    const link = await kind.open(t);
    const count = fill(link);
    const later = Array.from({ length: 50 }, (_, i) => link.send(`${count + i}`));
    assert.equal(link.sender.queuedMessages, 50);
    assert.equal(link.trySend('overtaking'), false);
    assert.deepEqual(await receiveTexts(link, count + 50), numbers(count + 50));
    await Promise.all(later);
    assert.equal(link.sender.queuedMessages, 0);
  });

  test(`${kind.title}: trySend() does not overtake what waits, even when there is room again`, async (t) => {
    const link = await kind.open(t);
    const count = fill(link);
    const waiting = link.send('first');
    // Emptied behind the loop's back: the sender cannot have been told yet.
    const limits = { ...validateSocketOptions({}), bytesOnly: false };
    const inbox = Inbox.for(limits);
    for (let taken = 0; taken < count; ) {
      const asked = { maxMessages: MAX_BATCH, endOfStream: kind.type === 'seqpacket', expected: 0 };
      const batch = inbox.receive(link.receiver.fd, limits, asked);
      assert.ok(typeof batch === 'object', `${batch}`);
      taken += batch.messages.length;
    }
    assert.equal(link.trySend('overtaking'), false);
    assert.equal((await link.receive()).data.toString(), 'first');
    await waiting;
    assert.equal(link.trySend('now'), true);
  });

  test(`${kind.title}: waiting for room costs next to no CPU`, async (t) => {
    const link = await kind.open(t);
    const count = fill(link);
    const waiting = link.send(`${count}`);
    const before = process.cpuUsage();
    await delay(300); // the time in which a busy loop would show
    const { user, system } = process.cpuUsage(before);
    assert.equal(link.sender.queuedMessages, 1);
    assert.ok(user + system < 100_000, `${user + system} us of CPU in 300 ms`);
    await receiveTexts(link, count + 1);
    await waiting;
  });

  test(`${kind.title}: a send() that runs out of time is taken back`, async (t) => {
    const link = await kind.open(t);
    const count = fill(link);
    const late = link.send('late', { timeout: 20 });
    const after = link.send('after');
    assert.equal((await failureOf(late)).code, 'ERR_FDPASS_TIMEOUT');
    assert.equal(link.sender.queuedMessages, 1);
    assert.deepEqual((await receiveTexts(link, count + 1)).at(-1), 'after');
    await after;
  });

  test(`${kind.title}: an aborted send() is taken back, with the reason, and leaves no listener`, async (t) => {
    const link = await kind.open(t);
    const controller = new AbortController();
    const { signal } = controller;
    await link.send('sent at once', { signal });
    await link.receive();
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    const count = fill(link);
    const waiting = link.send('aborted', { signal });
    const after = link.send('after', { signal: new AbortController().signal });
    controller.abort('changed my mind');
    const error = await failureOf(waiting);
    assert.equal(error.name, 'AbortError');
    assert.equal(error.cause, 'changed my mind');
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    assert.deepEqual((await receiveTexts(link, count + 1)).at(-1), 'after');
    await after;
  });

  test(`${kind.title}: a signal that aborts while the descriptors are read takes the message back`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    const { reader } = openPipe(t);
    const before = await settledFdCount();
    const count = fill(link);
    const controller = new AbortController();
    const { signal } = controller;
    const aborting = {
      signal,
      get fds() {
        controller.abort();
        return [reader];
      },
    };
    assert.equal((await failureOf(link.send('never', aborting))).name, 'AbortError');
    assert.equal(link.sender.queuedMessages, 0);
    assert.equal(await settledFdCount(), before);
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    const after = link.send('after');
    assert.deepEqual((await receiveTexts(link, count + 1)).at(-1), 'after');
    await after;
  });

  test(`${kind.title}: a signal that is aborted already sends nothing`, async (t) => {
    const link = await kind.open(t);
    const error = await failureOf(link.send('never', { signal: AbortSignal.abort() }));
    assert.equal(error.name, 'AbortError');
    await link.send('next');
    assert.equal((await link.receive()).data.toString(), 'next');
  });

  test(`${kind.title}: a wrong timeout is refused although there is room`, async (t) => {
    const link = await kind.open(t);
    for (const timeout of [0, -1, 1.5]) {
      assert.equal((await failureOf(link.send('never', { timeout }))).code, 'ERR_OUT_OF_RANGE');
    }
    await link.send('next');
    assert.equal((await link.receive()).data.toString(), 'next');
  });

  test(`${kind.title}: descriptors of a waiting message may be closed at once`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    const { reader, writer } = openPipe(t);
    const count = fill(link);
    const waiting = link.send('with', { fds: [writer] });
    writer.close();
    await receiveTexts(link, count);
    const message = await link.receive();
    await waiting;
    writeNow(message.fds[0] as Fd, 'alive');
    assert.equal(readNow(reader), 'alive');
    message.fds[0]?.close();
    assert.equal(readNow(reader), '', 'the duplicate of the queue is closed too');
  });

  test(`${kind.title}: descriptors of a message that was taken back are closed`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    const { reader, writer } = openPipe(t);
    const before = await settledFdCount();
    fill(link);
    assert.equal((await failureOf(link.send('w', { fds: [writer], timeout: 1 }))).code, 'ERR_FDPASS_TIMEOUT');
    assert.equal(await settledFdCount(), before);
    writer.close();
    assert.equal(readNow(reader), '');
  });

  test(`${kind.title}: the queue has a bound, in messages`, async (t) => {
    const link = await kind.open(t);
    fill(link);
    const waiting = Array.from({ length: MAX_QUEUED_MESSAGES }, () => failureOf(link.send('w')));
    const error = await failureOf(link.send('one more'));
    assert.equal(error.code, 'ERR_FDPASS_QUEUE_FULL');
    assert.match(error.message, /await send\(\) before sending more/);
    assert.equal(link.sender.queuedMessages, MAX_QUEUED_MESSAGES);
    await link.sender.close();
    for (const failure of await Promise.all(waiting)) assert.equal(failure.code, 'ERR_FDPASS_CLOSED');
  });

  test(`${kind.title}: the queue has a bound, in bytes`, async (t) => {
    const link = await kind.open(t);
    fill(link);
    const big = Buffer.alloc(MAX_QUEUED_BYTES / 16);
    const waiting = Array.from({ length: 16 }, () => failureOf(link.send(big)));
    assert.equal((await failureOf(link.send('x'))).code, 'ERR_FDPASS_QUEUE_FULL');
    await link.sender.close();
    for (const failure of await Promise.all(waiting)) assert.equal(failure.code, 'ERR_FDPASS_CLOSED');
  });

  test(`${kind.title}: whoever waits is told when the receiver closes`, async (t) => {
    const link = await kind.open(t);
    fill(link);
    const waiting = [failureOf(link.send('a')), failureOf(link.send('b'))];
    await link.receiver.close();
    for (const error of await Promise.all(waiting)) {
      assert.ok(['ECONNREFUSED', 'EPIPE', 'ECONNRESET', 'ENOTCONN'].includes(error.code), error.code);
      assert.equal(error.syscall, 'sendmsg');
    }
    assert.equal(link.sender.queuedMessages, 0);
  });
}

for (const kind of [...linkKinds, unconnected].filter(({ type }) => type === 'dgram')) {
  test(`${kind.title}: sendMany brings 1000 messages in order through a full peer`, async (t) => {
    const link = await kind.open(t);
    const sender = link.sender as UnixDatagram;
    const to = kind === unconnected ? (link.receiver as UnixDatagram).address() : undefined;
    const count = fill(link);
    const sending = sender.sendMany(numbers(count + 1000).slice(count), to);
    assert.deepEqual(await receiveTexts(link, count + 1000), numbers(count + 1000));
    await sending;
  });

  test(`${kind.title}: sendMany fails at the message that fails, those before it are sent`, async (t) => {
    const link = await kind.open(t);
    const sender = link.sender as UnixDatagram;
    const to = kind === unconnected ? (link.receiver as UnixDatagram).address() : undefined;
    const error = await failureOf(sender.sendMany(['a', 'b', Buffer.alloc(4_000_000), 'c'], to));
    assert.equal(error.code, 'EMSGSIZE');
    assert.deepEqual(await receiveTexts(link, 2), ['a', 'b']);
    await sender.sendMany([], to);
    await link.send('next');
    assert.deepEqual(await receiveTexts(link, 1), ['next']);
  });
}

test('a full destination does not hold up another', async (t) => {
  const [full, free] = [`@${freshName()}`, `@${freshName()}`];
  const receivers = [new UnixDatagram().bind(full), new UnixDatagram().bind(free)] as const;
  const sender = new UnixDatagram();
  closeAfter(t, sender, ...receivers);
  while (sender.trySend('x', full));
  const waiting = failureOf(sender.send('waits', full));
  await sender.send('goes', free);
  assert.equal((await receivers[1].receive()).data.toString(), 'goes');
  await sender.close();
  assert.equal((await waiting).code, 'ERR_FDPASS_CLOSED');
});

test('a receiver that pauses makes the sender wait, and loses nothing when it goes on', async (t) => {
  const link = await (linkKinds[0] as LinkKind).open(t, { maxFds: 1 });
  const sending = (async () => {
    for (let i = 0; i < 200; i++) await link.send(`${i}`, { fds: [0] });
    await link.sender.close();
  })();
  const seen: string[] = [];
  const take = (message: Message): void => {
    seen.push(message.data.toString());
    assert.equal(message.fds.length, 1);
    message.fds[0]?.close();
  };
  while (seen.length < 200) {
    link.receiver.on('message', take);
    await once(link.receiver, 'message');
    link.receiver.off('message', take);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await sending;
  assert.deepEqual(seen, numbers(200));
});

test('seqpacket: end() lets what waits go first', async (t) => {
  const [sender, receiver] = UnixSeqpacket.pair({ allowHalfOpen: true });
  closeAfter(t, sender, receiver);
  let sent = 0;
  while (sender.trySend(`${sent}`)) sent++;
  const last = sender.send('last');
  sender.end();
  const received: string[] = [];
  for await (const message of receiver) received.push(message.data.toString());
  await last;
  assert.deepEqual(received, [...Array.from({ length: sent }, (_, index) => `${index}`), 'last']);
});
