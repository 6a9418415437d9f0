// The end of a socket: every method while it closes and after, close() in the middle of everything, and its signal.
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Message, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { settledFdCount } from '../helpers/fd-count';
import { closeAfter, linkKinds } from '../helpers/link';
import { failureOf } from '../helpers/outcome';

type Socket = UnixDatagram | UnixSeqpacket;
type Call = [name: string, call: (socket: Socket) => unknown];

const common: Call[] = [
  ['receive', (socket) => socket.receive()],
  ['send', (socket) => socket.send('x')],
  ['trySend', (socket) => socket.trySend('x')],
  ['address', (socket) => socket.address()],
  ['remoteAddress', (socket) => socket.remoteAddress()],
  ['getSendBufferSize', (socket) => socket.getSendBufferSize()],
  ['setSendBufferSize', (socket) => socket.setSendBufferSize(4096)],
  ['connect', (socket) => socket.connect('@nobody')],
  ['peerGroups', (socket) => socket.peerGroups()],
  ['peerPidFd', (socket) => socket.peerPidFd()],
];
const datagram: Call[] = [
  ...common,
  ['bind', (socket) => (socket as UnixDatagram).bind()],
  ['sendMany', (socket) => (socket as UnixDatagram).sendMany(['x'])],
];
const seqpacket: Call[] = [
  ...common,
  ['end', (socket) => (socket as UnixSeqpacket).end()],
  ['closeRead', (socket) => (socket as UnixSeqpacket).closeRead()],
  ['peerCredentials', (socket) => (socket as UnixSeqpacket).peerCredentials],
];
const harmless: Call[] = [
  ['ref', (socket) => socket.ref()],
  ['unref', (socket) => socket.unref()],
  ['close', (socket) => socket.close()],
  ['asyncDispose', (socket) => socket[Symbol.asyncDispose]()],
];
const table: [string, () => [Socket, Socket], Call[]][] = [
  ['UnixDatagram', () => UnixDatagram.pair(), datagram],
  ['UnixSeqpacket', () => UnixSeqpacket.pair(), seqpacket],
];

for (const [name, pair, calls] of table) {
  for (const state of ['closing', 'closed'] as const) {
    test(`${name}: every method of a socket that is ${state} says ERR_FDPASS_CLOSED, or does nothing`, async (t) => {
      const sockets = pair();
      closeAfter(t, ...sockets);
      const closing = sockets[0].close();
      if (state === 'closed') await closing;
      for (const [method, call] of calls) {
        const error = await failureOf(async () => call(sockets[0]));
        assert.equal(error.code, 'ERR_FDPASS_CLOSED', method);
        assert.equal(error.message, `this ${name} is closed`);
      }
      for (const [, call] of harmless) await call(sockets[0]);
      assert.equal(sockets[0].fd, -1);
      assert.equal(sockets[0].closed, true);
      assert.equal(sockets[0].queuedMessages, 0);
      assert.equal(sockets[0].writableNeedDrain, false);
    });
  }

  test(`${name}: an invalid option is refused and nothing stays open`, async () => {
    const before = await settledFdCount();
    const Class = name === 'UnixDatagram' ? UnixDatagram : UnixSeqpacket;
    for (const options of [
      { maxFds: 254 },
      { maxFds: -1 },
      { maxBytes: 0 },
      { maxBytes: 2 ** 40 },
      { maxFds: '1' as unknown as number },
      null as unknown as object,
    ]) {
      assert.throws(() => new Class(options), /^(Range|Type)Error/);
      assert.throws(() => Class.pair(options), /^(Range|Type)Error/);
    }
    const { signal } = new AbortController();
    assert.throws(() => Class.pair({ signal, maxFds: 254 }), RangeError);
    assert.throws(() => Class.pair({ signal: AbortSignal.abort() }), { name: 'AbortError' });
    assert.equal(getEventListeners(signal, 'abort').length, 0);
    assert.equal(await settledFdCount(), before);
  });

  test(`${name}: its signal closes it, and a closed socket has left the signal`, async () => {
    const Class = name === 'UnixDatagram' ? UnixDatagram : UnixSeqpacket;
    const controller = new AbortController();
    const sockets = Class.pair({ signal: controller.signal });
    assert.equal(getEventListeners(controller.signal, 'abort').length, 2);
    await sockets[0].close();
    assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
    const closed = once(sockets[1], 'close');
    const waiting = failureOf(sockets[1].receive());
    controller.abort();
    assert.equal(sockets[1].closed, true);
    await closed;
    assert.equal((await waiting).code, 'ERR_FDPASS_CLOSED');
  });
}

for (const kind of linkKinds) {
  test(`${kind.title}: closing rejects what waits, once, and then says 'close', once`, async (t) => {
    const link = await kind.open(t);
    const events: string[] = [];
    link.receiver.on('close', () => events.push('close'));
    const note = (what: string) => (error: NodeJS.ErrnoException) => {
      events.push(`${what} ${error.code}`);
    };
    const receiving = [
      link.receiver.receive().catch(note('receive')),
      link.receiver.receive().catch(note('receive')),
    ];
    await Promise.all([link.receiver.close(), link.receiver.close(), ...receiving]);
    await link.receiver.close();
    assert.deepEqual(events.sort(), ['close', 'receive ERR_FDPASS_CLOSED', 'receive ERR_FDPASS_CLOSED']);
  });

  test(`${kind.title}: close() resolves when 'close' has been emitted`, async (t) => {
    const link = await kind.open(t);
    let emitted = false;
    link.receiver.on('close', () => {
      emitted = true;
    });
    const closing = link.receiver.close();
    assert.equal(emitted, false);
    await closing;
    assert.ok(emitted);
  });

  test(`${kind.title}: close() inside a handler is followed by 'close' and nothing else`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    for (let i = 0; i < 4; i++) assert.ok(link.trySend(`${i}`, { fds: [0] }));
    const before = await settledFdCount();
    const events: string[] = [];
    link.receiver.on('message', (message: Message) => {
      events.push(message.data.toString());
      message.fds[0]?.close();
      void link.receiver.close();
    });
    for (const event of ['error', 'end', 'close'] as const) link.receiver.on(event, () => events.push(event));
    await once(link.receiver, 'close');
    await nextTurn();
    await nextTurn();
    assert.deepEqual(events, ['0', 'close']);
    assert.equal(await settledFdCount(), before - 2, 'the socket and the watcher’s duplicate');
  });

  test(`${kind.title}: closing the sender at once loses nothing that send() has resolved for`, async (t) => {
    const link = await kind.open(t);
    await link.send('a');
    await link.send('b');
    await link.sender.close();
    assert.equal((await link.receive()).data.toString(), 'a');
    assert.equal((await link.receive()).data.toString(), 'b');
  });

  test(`${kind.title}: leaving an await using block closes`, async (t) => {
    const link = await kind.open(t);
    {
      await using socket = link.receiver;
      assert.equal(socket.closed, false);
    }
    assert.equal(link.receiver.closed, true);
  });
}

for (const kind of linkKinds.filter(({ type }) => type === 'seqpacket')) {
  test(`${kind.title}: close() inside 'end' is followed by one 'close'`, async (t) => {
    const link = await kind.open(t, { allowHalfOpen: true } as object);
    const events: string[] = [];
    link.receiver.on('message', () => events.push('message'));
    link.receiver.on('end', () => {
      events.push('end');
      void link.receiver.close();
    });
    link.receiver.on('close', () => events.push('close'));
    await link.send('x');
    await link.sender.close();
    await once(link.receiver, 'close');
    await nextTurn();
    assert.deepEqual(events, ['message', 'end', 'close']);
  });
}

test('seqpacket: closeRead() lets what came be received, then the end; the peer cannot send any more', async (t) => {
  const [left, right] = UnixSeqpacket.pair({ allowHalfOpen: true });
  closeAfter(t, left, right);
  await left.send('before');
  assert.equal(right.closeRead(), right);
  assert.equal((await failureOf(left.send('after'))).code, 'EPIPE');
  assert.equal((await right.receive())?.data.toString(), 'before');
  assert.equal(await right.receive(), null);
  await right.send('still writing');
  assert.equal((await left.receive())?.data.toString(), 'still writing');
});

test('UnixSeqpacketServer: every method in every state', async () => {
  const server = new UnixSeqpacketServer();
  assert.equal(server.listening, false);
  assert.equal(server.fd, -1);
  assert.throws(() => server.address(), { code: 'ERR_FDPASS_CLOSED' });
  server.listen(`@${freshName()}`);
  assert.throws(() => server.listen(`@${freshName()}`), { code: 'ERR_FDPASS_LISTENING' });
  server.unref().ref();
  const closing = server.close();
  for (const state of ['closing', 'closed']) {
    assert.equal(server.listening, false, state);
    assert.equal(server.fd, -1);
    assert.throws(() => server.address(), { code: 'ERR_FDPASS_CLOSED' });
    assert.throws(() => server.listen(`@${freshName()}`), { code: 'ERR_FDPASS_CLOSED' });
    server.ref().unref();
    await closing;
    await server.close();
  }
});

test('UnixSeqpacketServer: close() inside the connection handler accepts no more', async (t) => {
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  const clients = [1, 2, 3].map(() => new UnixSeqpacket().connect(server.address()));
  closeAfter(t, server, ...clients);
  let connections = 0;
  server.on('connection', (connection: UnixSeqpacket) => {
    connections++;
    closeAfter(t, connection);
    void server.close();
  });
  await once(server, 'close');
  await nextTurn();
  assert.equal(connections, 1);
});
