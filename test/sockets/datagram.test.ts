// What is particular to UnixDatagram: names, destinations, and the errors of both.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import test from 'node:test';
import { Fd, UnixAddress, UnixDatagram, UnixSeqpacketServer } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { closeAfter } from '../helpers/link';
import { failureOf, systemFields } from '../helpers/outcome';
import { openPipe } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';

test('each message names its own sender, with all its bytes', async (t) => {
  const receiver = new UnixDatagram().bind(`@${freshName()}`);
  const file = path.join(tmpDir(t), 'sender');
  const odd = UnixAddress.abstract(Buffer.from(`${freshName()}\0\xff`, 'latin1'));
  const senders = [new UnixDatagram().bind(file), new UnixDatagram().bind(odd), new UnixDatagram()];
  closeAfter(t, receiver, ...senders);
  for (const sender of senders) await sender.send('x', receiver.address());
  assert.ok((await receiver.receive()).from.equals(file));
  assert.ok((await receiver.receive()).from.equals(odd));
  assert.ok((await receiver.receive()).from.equals(UnixAddress.unnamed));
});

test('senders whose names are alike are told apart, in batches and one by one', async (t) => {
  const at = `@${freshName()}`;
  const receiver = new UnixDatagram().bind(at);
  closeAfter(t, receiver);
  const stem = freshName();
  const longest = stem.padEnd(107, 'x');
  // Each a byte longer than the one before, then some that differ in their last byte alone.
  const names = [...'abcdefghi'].map((_, index) => stem + 'abcdefghi'.slice(0, index));
  const senders = [...names, `${stem}b`, `${stem}abcdefgj`, longest, `${longest.slice(0, -1)}y`].map(
    (name) => {
      const sender = new UnixDatagram().bind(UnixAddress.abstract(name));
      closeAfter(t, sender);
      return sender.connect(at);
    },
  );
  const order = [...senders, ...senders.toReversed(), ...senders];
  const expected = order.map((sender) => sender.address().toString());
  const seen: string[] = [];
  for (const sender of order) {
    sender.trySend('x');
    seen.push((await receiver.receive()).from.toString());
  }
  assert.deepEqual(seen, expected);
  const batches: string[] = [];
  receiver.on('message', ({ from }) => batches.push(from.toString()));
  for (const sender of order) await sender.send('x');
  while (batches.length < order.length) await new Promise(setImmediate);
  assert.deepEqual(batches, expected);
});

test('options in place of the destination are an error that says where they go', async (t) => {
  const [left, right] = UnixDatagram.pair({ maxFds: 1 });
  closeAfter(t, left, right);
  const { writer } = openPipe(t);
  const given = { fds: [writer] } as unknown as UnixAddress;
  for (const send of [() => left.send('x', given), () => left.trySend('x', given)]) {
    const { code, message } = await failureOf(async () => await send());
    assert.equal(code, 'ERR_INVALID_ARG_TYPE');
    assert.match(message, /^to must be .*\(options come third: send\(data, undefined, options\)/);
  }
  await left.send('x', undefined, { fds: [writer] });
  const { fds } = await right.receive();
  assert.equal(fds.length, 1);
  Fd.closeAll(fds);
});

test('a sender can be answered at its address', async (t) => {
  const server = new UnixDatagram().bind(`@${freshName()}`);
  const client = new UnixDatagram().bind();
  closeAfter(t, server, client);
  await client.send('question', server.address());
  await server.send('answer', (await server.receive()).from);
  assert.equal((await client.receive()).data.toString(), 'answer');
});

test('bind() without an address lets the kernel pick an abstract name', async (t) => {
  const socket = new UnixDatagram();
  closeAfter(t, socket);
  assert.ok(socket.address().equals(UnixAddress.unnamed));
  const listening = once(socket, 'listening');
  socket.bind();
  await listening;
  assert.match(socket.address().toString(), /^@[0-9a-f]{5}$/);
});

test('a second bind() to another name is EINVAL and keeps the first, a failed one spoils nothing', async (t) => {
  const [name, taken] = [`@${freshName()}`, `@${freshName()}`];
  const other = new UnixDatagram().bind(taken);
  const socket = new UnixDatagram();
  closeAfter(t, socket, other);
  const inUse = await failureOf(() => socket.bind(taken));
  assert.deepEqual(systemFields(inUse), {
    code: 'EADDRINUSE',
    errno: -98,
    syscall: 'bind',
    address: taken,
    message: `bind EADDRINUSE ${taken} (held by this process, pid ${process.pid})`,
  });
  socket.bind(name);
  assert.equal((await failureOf(() => socket.bind(`@${freshName()}`))).code, 'EINVAL');
  assert.ok(socket.address().equals(name));
});

test('a name is free again as soon as its socket is closed', async (t) => {
  const name = `@${freshName()}`;
  for (let i = 0; i < 3; i++) await new UnixDatagram().bind(name).close();
  const server = new UnixSeqpacketServer().listen(name);
  const socket = new UnixDatagram().bind(name); // names of other types are other names
  closeAfter(t, server, socket);
});

test('sending to nobody tells what, where and why, each time, and the socket goes on', async (t) => {
  const folder = tmpDir(t);
  const leftover = path.join(folder, 'leftover');
  await new UnixDatagram().bind(leftover, { unlinkOnClose: false }).close();
  const nobody = `@${freshName()}`;
  const missing = path.join(folder, 'missing');
  const socket = new UnixDatagram().bind();
  closeAfter(t, socket);
  for (const [to, code, errno] of [
    [nobody, 'ECONNREFUSED', -111],
    [leftover, 'ECONNREFUSED', -111],
    [missing, 'ENOENT', -2],
  ] as const) {
    const shape = { code, errno, syscall: 'sendmsg', address: to, message: `sendmsg ${code} ${to}` };
    for (let i = 0; i < 2; i++) {
      assert.deepEqual(systemFields(await failureOf(socket.send('x', to))), shape);
      assert.deepEqual(systemFields(await failureOf(() => socket.trySend('x', to))), shape);
      assert.deepEqual(systemFields(await failureOf(socket.sendMany(['x', 'y'], to))), shape);
    }
    const connect = { ...shape, syscall: 'connect', message: `connect ${code} ${to}` };
    assert.deepEqual(systemFields(await failureOf(() => socket.connect(to))), connect);
  }
  await socket.send('self', socket.address());
  assert.equal((await socket.receive()).data.toString(), 'self');
});

test('sending without a destination is ENOTCONN', async (t) => {
  const socket = new UnixDatagram();
  closeAfter(t, socket);
  const error = await failureOf(socket.send('x'));
  assert.deepEqual(systemFields(error), {
    code: 'ENOTCONN',
    errno: -107,
    syscall: 'sendmsg',
    address: undefined,
    message: 'sendmsg ENOTCONN',
  });
  assert.equal((await failureOf(() => socket.remoteAddress())).code, 'ENOTCONN');
});

test('a receiver that comes back is found again by connect()', async (t) => {
  const at = path.join(tmpDir(t), 'log');
  const sender = new UnixDatagram();
  closeAfter(t, sender);
  assert.equal((await failureOf(() => sender.connect(at))).code, 'ENOENT');
  const first = new UnixDatagram().bind(at);
  sender.connect(at);
  await sender.send('one');
  await first.close();
  assert.equal((await failureOf(sender.send('lost'))).code, 'ECONNREFUSED');
  const second = new UnixDatagram().bind(at);
  closeAfter(t, second);
  assert.equal((await failureOf(sender.send('lost'))).code, 'ENOTCONN');
  sender.connect(at);
  await sender.send('two');
  assert.equal((await second.receive()).data.toString(), 'two');
});

test('a destination overrides the peer for one message', async (t) => {
  const [peer, other] = [new UnixDatagram().bind(), new UnixDatagram().bind()] as const;
  const sender = new UnixDatagram();
  closeAfter(t, peer, other, sender);
  const connected = once(sender, 'connect');
  sender.connect(peer.address());
  await connected;
  assert.ok(sender.remoteAddress().equals(peer.address()));
  await sender.send('elsewhere', other.address());
  await sender.send('peer');
  assert.equal((await other.receive()).data.toString(), 'elsewhere');
  assert.equal((await peer.receive()).data.toString(), 'peer');
});

test('a connected socket refuses strangers', async (t) => {
  const socket = new UnixDatagram().bind();
  const peer = new UnixDatagram().bind();
  const stranger = new UnixDatagram();
  closeAfter(t, socket, peer, stranger);
  socket.connect(peer.address());
  assert.equal((await failureOf(stranger.send('x', socket.address()))).code, 'EPERM');
  await peer.send('x', socket.address());
  assert.equal((await socket.receive()).data.toString(), 'x');
});

test('a destination of another type is refused by path, unknown by name', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const name = `@${freshName()}`;
  const socket = new UnixDatagram();
  closeAfter(t, socket, new UnixSeqpacketServer().listen(at), new UnixSeqpacketServer().listen(name));
  assert.equal((await failureOf(socket.send('x', at))).code, 'EPROTOTYPE');
  assert.equal((await failureOf(socket.send('x', name))).code, 'ECONNREFUSED');
});

test('the unnamed address is no destination', async (t) => {
  const socket = new UnixDatagram();
  closeAfter(t, socket);
  assert.equal((await failureOf(socket.send('x', UnixAddress.unnamed))).code, 'ERR_OUT_OF_RANGE');
  assert.equal((await failureOf(() => socket.connect(UnixAddress.unnamed))).code, 'EINVAL');
});

test('a pair that is closed at one end is ECONNREFUSED and then ENOTCONN', async (t) => {
  const [left, right] = UnixDatagram.pair();
  closeAfter(t, left, right);
  await right.close();
  assert.equal((await failureOf(left.send('x'))).code, 'ECONNREFUSED');
  assert.equal((await failureOf(left.send('x'))).code, 'ENOTCONN');
});

test('a peer that turns away with our message unread is one ECONNRESET', async (t) => {
  const [left, right] = UnixDatagram.pair();
  const elsewhere = new UnixDatagram().bind();
  closeAfter(t, left, right, elsewhere);
  await right.send('queued');
  await left.send('never read');
  const failed = once(left, 'error') as unknown as Promise<[NodeJS.ErrnoException]>;
  const errors: unknown[] = [];
  left.on('error', (error) => errors.push(error));
  right.connect(elsewhere.address());
  const received = once(left, 'message').catch(() => undefined);
  const [error] = await failed;
  assert.equal(error.code, 'ECONNRESET');
  assert.equal(error.syscall, 'recvmsg');
  await received;
  assert.equal(errors.length, 1);
});

test('adopt consumes a datagram socket and nothing else', async (t) => {
  const [left, right] = UnixDatagram.pair();
  closeAfter(t, left, right);
  const fd = Fd.dup(right);
  const adopted = UnixDatagram.adopt(fd);
  closeAfter(t, adopted);
  assert.equal(fd.fd, -1);
  await left.send('x');
  assert.equal((await adopted.receive()).data.toString(), 'x');

  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  for (const wrong of [Fd.dup(server), Fd.dup(openPipe(t).reader)]) {
    const error = await failureOf(() => UnixDatagram.adopt(wrong));
    assert.equal(error.code, 'ERR_FDPASS_WRONG_KIND');
    assert.match(error.message, /^expected an AF_UNIX dgram socket; descriptor \d+ is /);
    assert.notEqual(wrong.fd, -1);
    wrong.close();
  }
  const refused = Fd.dup(right);
  assert.throws(() => UnixDatagram.adopt(refused, { maxFds: 999 }), RangeError);
  assert.notEqual(refused.fd, -1, 'what throws does not consume');
  refused.close();
});

test('a send buffer size is an integer', async (t) => {
  const socket = new UnixDatagram();
  closeAfter(t, socket);
  for (const bytes of [0, -1, 1.5]) {
    assert.equal((await failureOf(() => socket.setSendBufferSize(bytes))).code, 'ERR_OUT_OF_RANGE');
  }
  socket.setSendBufferSize(20_000);
  assert.equal(socket.getSendBufferSize(), 40_000);
});

test('sendMany() keeps the order and the bytes of small and large ones', async (t) => {
  const [left, right] = UnixDatagram.pair();
  closeAfter(t, left, right);
  // 64 KiB go together at most: exactly that, one byte more, some that are larger alone, and none.
  const sizes = [10, 65526, 11, 65526, 65536, 1, 65537, 100_000, 0, 2, ...Array(70).fill(1000)];
  const messages = sizes.map((size, index) => Buffer.alloc(size, index + 1));
  const sent = left.sendMany(messages);
  for (const message of messages) assert.ok((await right.receive()).data.equals(message));
  await sent;
});

test('large messages come some at a time, so that others have their turn', async (t) => {
  const receiver = new UnixDatagram().bind(`@${freshName()}`);
  const senders = Array.from({ length: 8 }, () => new UnixDatagram().connect(receiver.address()));
  closeAfter(t, receiver, ...senders);
  const data = Buffer.alloc(150_000);
  const batches: number[] = [];
  let batch = 0;
  receiver.on('message', () => {
    if (batch++ > 0) return;
    process.nextTick(() => {
      batches.push(batch);
      batch = 0;
    });
  });
  /** One for each sender: a send buffer has room for one. */
  const flood = async (count: number): Promise<void> => {
    for (const sender of senders.slice(0, count)) assert.equal(sender.trySend(data), true);
    const all = batches.reduce((sum, size) => sum + size, count);
    while (batches.reduce((sum, size) => sum + size, 0) < all) await new Promise(setImmediate);
  };
  await flood(2); // from here on it knows how large they are
  await flood(8);
  assert.deepEqual(batches, [2, 6, 2]);
});
