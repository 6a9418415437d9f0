// Receiving: receive(), the iterator and 'message', their order, their ends, and handlers that fail.
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Message, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { MAX_BATCH } from '#fdpass/base/limits';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { closeAfter, linkKinds } from '../helpers/link';
import { failureOf } from '../helpers/outcome';

const fields = ({ syscall, code }: NodeJS.ErrnoException): string => `${syscall} ${code}`;

/** What a socket tells, up to its end. */
const waysToReceive: [string, (socket: UnixSeqpacket) => Promise<string[]>][] = [
  [
    'receive() one by one',
    async (socket) => {
      const seen: string[] = [];
      while (seen.at(-1) !== 'end') {
        seen.push(await socket.receive().then((message) => message?.data.toString() ?? 'end', fields));
      }
      return seen;
    },
  ],
  [
    'many receive() at once',
    async (socket) => {
      const all = Array.from({ length: 2 * MAX_BATCH + 5 }, () => socket.receive());
      return await Promise.all(
        all.map((one) => one.then((message) => message?.data.toString() ?? 'end', fields)),
      );
    },
  ],
  [
    'events',
    async (socket) => {
      const seen: string[] = [];
      socket.on('message', ({ data }) => seen.push(data.toString()));
      socket.on('error', (error) => seen.push(fields(error)));
      socket.on('end', () => seen.push('end'));
      await new Promise<void>((resolve) => socket.on('close', resolve));
      return seen;
    },
  ],
];

for (const kind of linkKinds) {
  test(`${kind.title}: receive() runs out of time, and the message that comes later is not lost`, async (t) => {
    const link = await kind.open(t);
    const error = await failureOf(link.receiver.receive({ timeout: 5 }));
    assert.equal(error.code, 'ERR_FDPASS_TIMEOUT');
    assert.match(error.message, /receive\(\) did not finish within 5 ms/);
    await link.send('later');
    assert.equal((await link.receive()).data.toString(), 'later');
  });

  test(`${kind.title}: receive() is aborted before and while it waits, and leaves no listener`, async (t) => {
    const link = await kind.open(t);
    const controller = new AbortController();
    const { signal } = controller;
    const waiting = link.receiver.receive({ signal });
    controller.abort('enough');
    const error = await failureOf(waiting);
    assert.equal(error.name, 'AbortError');
    assert.equal(error.cause, 'enough');
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    await link.send('kept');
    assert.equal((await failureOf(link.receiver.receive({ signal }))).name, 'AbortError');
    const other = new AbortController();
    const message = await link.receiver.receive({ signal: other.signal, timeout: 60_000 });
    assert.equal(message?.data.toString(), 'kept');
    assert.equal(getEventListeners(other.signal, 'abort').length, 0);
  });

  test(`${kind.title}: an aborted receive() does not eat a message that was received already`, async (t) => {
    const link = await kind.open(t);
    for (const text of ['1', '2', '3']) assert.ok(link.trySend(text));
    await once(link.receiver, 'message');
    assert.equal(
      (await failureOf(link.receiver.receive({ signal: AbortSignal.abort() }))).name,
      'AbortError',
    );
    assert.equal((await link.receive()).data.toString(), '2');
    assert.equal((await link.receive()).data.toString(), '3');
  });

  test(`${kind.title}: several receive() calls are served in their order`, async (t) => {
    const link = await kind.open(t);
    const waiting = [link.receive(), link.receive(), link.receive()];
    for (const text of ['a', 'b', 'c']) await link.send(text);
    assert.deepEqual(
      (await Promise.all(waiting)).map(({ data }) => data.toString()),
      ['a', 'b', 'c'],
    );
  });

  test(`${kind.title}: leaving the loop leaves the socket open, and the next loop goes on`, async (t) => {
    const link = await kind.open(t);
    for (const text of ['a', 'b', 'c']) await link.send(text);
    const seen: string[] = [];
    for await (const message of link.receiver) {
      seen.push(message.data.toString());
      break;
    }
    assert.equal(link.receiver.closed, false);
    for await (const message of link.receiver) {
      seen.push(message.data.toString());
      if (seen.length === 3) break;
    }
    assert.deepEqual(seen, ['a', 'b', 'c']);
  });

  test(`${kind.title}: the loop ends when the socket closes`, async (t) => {
    const link = await kind.open(t);
    await link.send('only');
    const seen: string[] = [];
    for await (const message of link.receiver) {
      seen.push(message.data.toString());
      setImmediate(() => void link.receiver.close());
    }
    assert.deepEqual(seen, ['only']);
    for await (const _ of link.receiver) assert.fail('a closed socket gives nothing');
  });

  test(`${kind.title}: a 'once' listener beside another does not change the order`, async (t) => {
    const link = await kind.open(t);
    for (let i = 0; i < 4; i++) assert.ok(link.trySend(`${i}`));
    const seen: string[] = [];
    link.receiver.once('message', (message: Message) => seen.push(`once ${message.data}`));
    await new Promise<void>((resolve) => {
      link.receiver.on('message', (message: Message) => {
        seen.push(message.data.toString());
        if (message.data.toString() === '3') resolve();
      });
    });
    assert.deepEqual(seen, ['once 0', '0', '1', '2', '3']);
  });

  test(`${kind.title}: without a listener the messages stay in the kernel`, async (t) => {
    const link = await kind.open(t);
    await link.send('waits');
    await nextTurn();
    await nextTurn();
    assert.equal((await link.receive()).data.toString(), 'waits');
  });

  test(`${kind.title}: a wrong timeout is refused although a message is there`, async (t) => {
    const link = await kind.open(t);
    await link.send('kept');
    for (const timeout of [0, -1, 1.5, '1' as unknown as number]) {
      assert.match((await failureOf(link.receiver.receive({ timeout }))).code, /^ERR_(OUT_OF|INVALID)/);
    }
    assert.equal((await link.receive()).data.toString(), 'kept');
  });
}

for (const kind of linkKinds.filter(({ type }) => type === 'seqpacket')) {
  test(`${kind.title}: the loop ends at the end of the stream`, async (t) => {
    const link = await kind.open(t);
    assert.ok(link.trySend('a'));
    assert.ok(link.trySend('b'));
    await link.sender.close();
    const seen: string[] = [];
    for await (const message of link.receiver) seen.push(message.data.toString());
    assert.deepEqual(seen, ['a', 'b']);
  });

  test(`${kind.title}: everyone who waits at the end is given null`, async (t) => {
    const link = await kind.open(t);
    const receiver = link.receiver as UnixSeqpacket;
    const waiting = [receiver.receive(), receiver.receive(), receiver.receive()];
    assert.ok(link.trySend('last'));
    await link.sender.close();
    const [first, ...rest] = await Promise.all(waiting);
    assert.equal(first?.data.toString(), 'last');
    assert.deepEqual(rest, [null, null]);
  });

  for (const [way, watch] of waysToReceive) {
    test(`${kind.title}, ${way}: of a peer that closes with ours unread, all it sent comes, one ECONNRESET, the end`, async (t) => {
      const link = await kind.open(t);
      const receiver = link.receiver as UnixSeqpacket;
      const sent = Array.from({ length: 2 * MAX_BATCH + 3 }, (_, index) => `${index}`);
      for (const text of sent) assert.ok(link.trySend(text));
      await receiver.send('unread');
      await link.sender.close();
      assert.deepEqual(await watch(receiver), [...sent, 'recvmsg ECONNRESET', 'end']);
    });
  }
}

test('a listener on a socket that is not connected yet waits in silence for connect()', async (t) => {
  const socket = new UnixSeqpacket();
  closeAfter(t, socket);
  socket.on('error', (error) => assert.fail(error));
  const received = once(socket, 'message') as Promise<[Message]>;
  for (let i = 0; i < 5; i++) await nextTurn();
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  server.on('connection', (connection: UnixSeqpacket) => {
    closeAfter(t, connection);
    void connection.send('welcome');
  });
  socket.connect(server.address());
  assert.equal((await received)[0].data.toString(), 'welcome');
});

test('receive() on a socket that is not connected is ENOTCONN', async (t) => {
  const socket = new UnixSeqpacket();
  closeAfter(t, socket);
  const error = await failureOf(socket.receive());
  assert.equal(error.code, 'ENOTCONN');
  assert.equal(error.syscall, 'recvmsg');
});

for (const given of [['dgram'], ['seqpacket'], ['dgram', 'lent'], ['seqpacket', 'lent']]) {
  test(`${given.join(', ')}: a handler that throws costs no message behind it`, async (t) => {
    const { code, signal, stdout, stderr } = await startFixture(t, 'throwing-handler', given).ended;
    assert.equal(stderr, '');
    assert.equal(stdout, '0\nuncaught 1\n2\nuncaught 3\n4\n');
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  });
}

test('after removeAllListeners() a new listener gets messages again', async (t) => {
  const [sender, receiver] = UnixDatagram.pair();
  closeAfter(t, sender, receiver);
  receiver.on('message', () => assert.fail('removed'));
  receiver.removeAllListeners();
  const next = once(receiver, 'message');
  await sender.send('again');
  assert.equal(String((await next)[0].data), 'again');
});
