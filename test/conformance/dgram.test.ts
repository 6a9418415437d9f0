// Section dgram of cases.md: whole messages, their borders, destinations that are gone or full.
import assert from 'node:assert/strict';
import { UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { MSG, POLL } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { failureOf } from '../helpers/outcome';
import { EOPNOTSUPP, fails, rejects } from './outcome';
import {
  fill,
  flagNames,
  freshAddresses,
  freshPath,
  rawBound,
  rawListener,
  rawOpen,
  rawPair,
  receiveCode,
  textOf,
} from './raw';
import { type Row, row } from './row';
import { cpuShareWhile, IDLE, milliseconds } from './system';

function pair(t: Row, options = {}): [UnixDatagram, UnixDatagram] {
  const [left, right] = UnixDatagram.pair(options);
  return [t.keep(left), t.keep(right)];
}

async function text(socket: UnixDatagram): Promise<string> {
  return (await socket.receive()).data.toString();
}

row('DG-02', 'RawSocket UnixDatagram', async (t) => {
  const [raw, peer] = rawPair(t, 'dgram');
  peer.close();
  assert.equal(receiveCode(raw), 'EAGAIN');

  const [socket, other] = pair(t);
  socket.on('end', () => assert.fail('a datagram socket has no end'));
  await other.close();
  await rejects('ERR_FDPASS_TIMEOUT', socket.receive({ timeout: 50 }));
});

row('DG-04', 'UnixDatagram RawSocket', async (t) => {
  const messages = ['', 'haha', '', ''];
  const [sender, receiver] = pair(t);
  for (const message of messages) await sender.send(message);
  for (const message of messages) assert.equal(await text(receiver), message);

  const [raw, peer] = rawPair(t, 'dgram');
  for (const message of messages) raw.send(message);
  for (const message of messages) assert.equal(peer.receive().size, message.length);
  assert.equal(receiveCode(peer), 'EAGAIN');
});

row('DG-06', 'RawSocket', (t) => {
  const [sender, receiver] = rawPair(t, 'dgram');
  sender.send('abc');
  const none = (flags: number): [number, string[]] => {
    const { size, flags: got } = receiver.receive({ buffers: [Buffer.alloc(0)], flags });
    return [size, flagNames(got)];
  };
  assert.deepEqual(none(MSG.PEEK), [0, ['TRUNC']]);
  assert.deepEqual(none(MSG.PEEK | MSG.TRUNC), [3, ['TRUNC']]);
  assert.deepEqual(none(0), [0, ['TRUNC']]);
  assert.equal(receiveCode(receiver), 'EAGAIN');
  sender.send('abc');
  assert.deepEqual(none(MSG.TRUNC), [3, ['TRUNC']]);
  assert.equal(receiveCode(receiver), 'EAGAIN');
});

row('DG-08', 'RawSocket UnixDatagram', async (t) => {
  const [raw, peer] = rawPair(t, 'dgram');
  raw.send('0123456789');
  const { data, flags } = peer.receive({ buffers: 5 });
  assert.equal(data.toString(), '01234');
  assert.deepEqual(flagNames(flags), ['TRUNC']);
  assert.equal(receiveCode(peer), 'EAGAIN');

  const [sender, receiver] = pair(t, { maxBytes: 5 });
  await sender.send('0123456789');
  await sender.send('next');
  const message = await receiver.receive();
  assert.equal(message.data.toString(), '01234');
  assert.ok(message.truncated);
  assert.equal(message.size, 10);
  assert.equal(await text(receiver), 'next');
});

row('DG-09', 'RawSocket', (t) => {
  const [sender, receiver] = rawPair(t, 'dgram');
  const sent = Buffer.alloc(512, 'abcdefg');
  sender.send(sent);
  const { size, data, flags } = receiver.receive({ buffers: 256, flags: MSG.TRUNC });
  assert.equal(size, 512);
  assert.deepEqual(data, sent.subarray(0, 256));
  assert.deepEqual(flagNames(flags), ['TRUNC']);
});

row('DG-11', 'RawSocket UnixDatagram', async (t) => {
  const [first, second] = ['a'.repeat(20), 'b'.repeat(20)];
  const [raw, peer] = rawPair(t, 'dgram');
  raw.send(first);
  raw.send(second);
  assert.equal(textOf(peer, 100), first);
  assert.equal(textOf(peer, 100), second);

  const [sender, receiver] = pair(t);
  await sender.sendMany([first, second]);
  assert.equal(await text(receiver), first);
  assert.equal(await text(receiver), second);
});

row('DG-13', 'UnixDatagram', async (t) => {
  const receiver = t.keep(new UnixDatagram().bind(`@${freshName()}`));
  const to = receiver.address();
  const late = t.keep(new UnixDatagram());
  await late.send('late', to);
  assert.equal((await receiver.receive()).from.kind, 'unnamed');

  const [file, name] = freshAddresses(t) as [string, string];
  late.bind(file);
  const other = t.keep(new UnixDatagram().bind(name));
  for (const message of ['1', '2', '3']) {
    await late.send(`late ${message}`, to);
    await other.send(`other ${message}`, to);
  }
  for (let i = 0; i < 6; i++) {
    const { data, from } = await receiver.receive();
    assert.ok(from.equals(data.toString().startsWith('late') ? file : name), `${data} from ${from}`);
  }
});

row('DG-17', 'UnixDatagram', async (t) => {
  const socket = t.keep(new UnixDatagram().bind(`@${freshName()}`));
  socket.connect(socket.address());
  await socket.send('to myself');
  const { data, from } = await socket.receive();
  assert.equal(data.toString(), 'to myself');
  assert.ok(from.equals(socket.address()));
});

row('DG-19', 'UnixDatagram RawSocket', async (t) => {
  await rejects('ENOTCONN', t.keep(new UnixDatagram()).send('nowhere'));
  const raw = rawBound(t, 'dgram');
  fails('ENOTCONN', () => raw.send('nowhere'));
  assert.equal(receiveCode(raw), 'EAGAIN');
});

row('DG-20', 'UnixDatagram', async (t) => {
  const a = t.keep(new UnixDatagram().bind(`@${freshName()}`));
  const b = t.keep(new UnixDatagram().bind(`@${freshName()}`));
  const sender = t.keep(new UnixDatagram().connect(a.address()));
  await sender.send('for b', b.address());
  await sender.send('for a');
  assert.equal(await text(b), 'for b');
  assert.equal(await text(a), 'for a');
});

row('DG-21', 'UnixDatagram', async (t) => {
  const missing = freshPath(t);
  const receiver = t.keep(new UnixDatagram().bind(`@${freshName()}`));
  const sender = t.keep(new UnixDatagram());
  sender.on('error', () => assert.fail('the error has its promise'));
  for (let i = 0; i < 2; i++) {
    const error = await failureOf(sender.send('x', missing));
    assert.equal(error.code, 'ENOENT');
    assert.equal(error.address, missing);
    fails('ENOENT', () => sender.trySend('x', missing));
  }
  await sender.send('still usable', receiver.address());
  assert.equal(await text(receiver), 'still usable');
});

row('DG-22', 'UnixDatagram', async (t) => {
  const [file, name] = freshAddresses(t) as [string, string];
  await new UnixDatagram().bind(file, { unlinkOnClose: false }).close();
  const sender = t.keep(new UnixDatagram());
  await rejects('ECONNREFUSED', sender.send('x', file));
  await rejects('ECONNREFUSED', sender.send('x', name));
});

row('DG-24', 'UnixDatagram RawSocket', async (t) => {
  const [file, name] = freshAddresses(t) as [string, string];
  rawListener(t, 'stream', file);
  rawListener(t, 'stream', name);
  const sender = t.keep(new UnixDatagram());
  for (const [address, expected] of [
    [file, 'EPROTOTYPE'],
    [name, 'ECONNREFUSED'],
  ] as const) {
    await rejects(expected, sender.send('x', address));
    fails(expected, () => sender.connect(address));
  }
});

row('DG-25', 'UnixDatagram UnixSeqpacket', async (t) => {
  for (const Class of [UnixDatagram, UnixSeqpacket]) {
    const [sender, receiver] = Class.pair();
    t.keep(sender);
    t.keep(receiver);
    sender.on('error', () => assert.fail('the error has its promise'));
    const long = Buffer.alloc(3 * sender.getSendBufferSize());
    await rejects('EMSGSIZE', sender.send(long));
    assert.equal(sender.queuedMessages, 0);
    await sender.send('still usable');
    assert.equal((await receiver.receive())?.data.toString(), 'still usable');
  }
});

row('DG-44', 'RawSocket UnixDatagram', async (t) => {
  const receiver = t.keep(new UnixDatagram().bind(`@${freshName()}`));
  const to = receiver.address();
  const raw = rawOpen(t, 'dgram');
  const filled = fill(raw, 'x', to);
  assert.equal(raw.poll(POLL.OUT), POLL.OUT, 'poll(2) says that there is room');

  const sender = t.keep(new UnixDatagram());
  let sent = false;
  const sending = sender.send('last', to).then(() => {
    sent = true;
  });
  assert.ok((await cpuShareWhile(() => milliseconds(300))) < IDLE);
  assert.equal(sent, false);
  for (let i = 0; i < filled; i++) assert.equal(await text(receiver), 'x');
  assert.equal(await text(receiver), 'last');
  await sending;
});

row('DG-31', 'RawSocket', (t) => {
  const receiver = rawBound(t, 'dgram');
  const sender = rawOpen(t, 'dgram').connect(receiver.address());
  const other = rawOpen(t, 'dgram').connect(receiver.address());
  sender.send('abc');
  sender.shutdown('write');
  fails('EPIPE', () => sender.send('no more'));
  assert.equal(textOf(receiver), 'abc');
  assert.equal(receiveCode(receiver), 'EAGAIN');
  other.send('unaffected');
  assert.equal(textOf(receiver), 'unaffected');
});

row('DG-33', 'RawSocket UnixSeqpacketServer', (t) => {
  const socket = rawBound(t, 'dgram');
  fails(EOPNOTSUPP, () => socket.listen(1));
  fails(EOPNOTSUPP, () => socket.accept());
  const fd = t.keep(socket.detach());
  fails('ERR_FDPASS_WRONG_KIND', () => UnixSeqpacketServer.adopt(fd));
});

row('DG-39', 'RawSocket', (t) => {
  const elsewhere = rawBound(t, 'dgram').address();
  const [a, b] = rawPair(t, 'dgram');
  b.send('unread');
  a.send('for b');
  a.connect(elsewhere);
  assert.equal(receiveCode(a), 'EAGAIN', 'what a had not read is gone');
  assert.equal(receiveCode(b), 'ECONNRESET');
  assert.equal(textOf(b), 'for b');
  assert.equal(receiveCode(b), 'EAGAIN', 'said once');

  const [c, d] = rawPair(t, 'dgram');
  c.connect(elsewhere);
  assert.equal(receiveCode(d), 'EAGAIN', 'nothing was lost, nothing is said');
});

row('DG-42', 'RawSocket', (t) => {
  const [sender, receiver] = rawPair(t, 'dgram');
  const size = sender.send([Buffer.from('abcd'), Buffer.alloc(0), Buffer.from('efghij')]);
  assert.equal(size, 10);
  const buffers = [Buffer.alloc(3), Buffer.alloc(4), Buffer.alloc(5)] as const;
  const message = receiver.receive({ buffers });
  assert.equal(message.size, 10);
  assert.equal(message.data.toString(), 'abcdefghij');
  assert.deepEqual(buffers.map(String), ['abc', 'defg', 'hij\0\0']);
});

row('DG-47', 'UnixDatagram', async (t) => {
  const file = freshPath(t);
  const first = t.keep(new UnixDatagram().bind(file));
  const sender = t.keep(new UnixDatagram().connect(file));
  await sender.send('one');
  assert.equal(await text(first), 'one');
  await first.close();
  const second = t.keep(new UnixDatagram().bind(file));
  await rejects('ECONNREFUSED', sender.send('lost'));
  await rejects('ENOTCONN', sender.send('lost'));
  sender.connect(file);
  await sender.send('two');
  assert.equal(await text(second), 'two');
});
