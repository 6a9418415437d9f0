// Section seqpacket of cases.md: connections that keep the borders of messages.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Message, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { MSG, POLL } from 'fdpass/raw';
import { fdCount } from '../helpers/fd-count';
import { seeded } from '../helpers/random';
import { fails, rejects } from './outcome';
import { fill, flagNames, freshAddresses, freshPath, rawOpen, rawPair, receiveCode, textOf } from './raw';
import { type Row, row } from './row';
import { sysctl } from './system';

function pair(t: Row, options = {}): [UnixSeqpacket, UnixSeqpacket] {
  const [left, right] = UnixSeqpacket.pair(options);
  return [t.keep(left), t.keep(right)];
}

row('SP-01', 'UnixSeqpacket', async (t) => {
  const [sender, receiver] = pair(t);
  const random = seeded(1);
  const packets = Array.from({ length: 10 }, () => random.bytes(1 + random.below(20_000)));
  const received: Buffer[] = [];
  receiver.on('message', ({ data }: Message) => received.push(data));
  const ended = once(receiver, 'end');
  for (const packet of packets) await sender.send(packet);
  sender.end();
  await ended;
  assert.deepEqual(received, packets);
});

row('SP-02', 'RawSocket UnixSeqpacket', async (t) => {
  const [raw, peer] = rawPair(t, 'seqpacket');
  for (const packet of ['abc', 'def', 'hij']) raw.send(packet);
  assert.equal(textOf(peer, 1), 'a');
  assert.equal(peer.receive({ buffers: [Buffer.alloc(0)] }).size, 0);
  assert.equal(textOf(peer, 1), 'h');
  assert.equal(receiveCode(peer), 'EAGAIN');

  const [sender, receiver] = pair(t, { maxBytes: 1 });
  for (const packet of ['abc', 'def']) await sender.send(packet);
  assert.equal((await receiver.receive())?.data.toString(), 'a');
  assert.equal((await receiver.receive())?.data.toString(), 'd');
});

row('SP-06', 'RawSocket', (t) => {
  const bogus = freshPath(t);
  const [left, right] = rawPair(t, 'seqpacket');
  left.send('to the peer', { to: bogus });
  assert.equal(textOf(right), 'to the peer');
  fails('ENOTCONN', () => rawOpen(t, 'seqpacket').send('x', { to: bogus }));
});

row('SP-10', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'seqpacket');
  left.send('record', { flags: MSG.EOR });
  const { data, flags } = right.receive();
  assert.equal(data.toString(), 'record');
  assert.deepEqual(flagNames(flags), []);
});

row('SP-11', 'UnixSeqpacketServer UnixSeqpacket', async (t) => {
  for (const address of freshAddresses(t)) {
    const server = t.keep(new UnixSeqpacketServer());
    server.listen(address).on('connection', (connection: UnixSeqpacket) => void serve(t.keep(connection)));
    const sums = Array.from({ length: 20 }, async (_, i) => {
      const client = t.keep(new UnixSeqpacket().connect(address));
      for (const number of [i, 10, 100]) await client.send(`${number}`);
      await client.send('sum');
      return Number((await client.receive())?.data);
    });
    assert.deepEqual(
      await Promise.all(sums),
      sums.map((_, i) => i + 110),
    );
  }
});

async function serve(connection: UnixSeqpacket): Promise<void> {
  let sum = 0;
  for await (const { data } of connection) {
    if (data.toString() === 'sum') await connection.send(`${sum}`);
    else sum += Number(data);
  }
}

row('SP-13', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'seqpacket');
  const none = Buffer.alloc(0);
  left.send([Buffer.from('01234'), none, Buffer.from('56789abc')]);
  const buffers = [Buffer.alloc(9), Buffer.alloc(3)];
  const { size, flags } = right.receive({ buffers });
  assert.equal(size, 12);
  assert.deepEqual(buffers.map(String), ['012345678', '9ab']);
  assert.deepEqual(flagNames(flags), ['TRUNC']);
  assert.equal(receiveCode(right), 'EAGAIN');
  assert.equal(left.send([]), 0);
  assert.equal(right.queuedBytes, 0);
  assert.equal(right.poll(POLL.IN), POLL.IN, 'an empty packet is a packet');
  assert.equal(right.receive().size, 0);
  assert.equal(receiveCode(right), 'EAGAIN');
});

row('SP-14', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'seqpacket');
  left.send('first packet');
  left.send('second');
  const peek = (buffers: number | Buffer[]): string =>
    right.receive({ buffers, flags: MSG.PEEK }).data.toString();
  assert.equal(peek(100), 'first packet');
  assert.equal(peek([Buffer.alloc(5), Buffer.alloc(50)]), 'first packet');
  assert.equal(textOf(right), 'first packet');
  assert.equal(textOf(right), 'second');
});

row('SP-15', 'RawSocket UnixSeqpacket', async (t) => {
  const [raw, peer] = rawPair(t, 'seqpacket');
  const count = fill(raw, 'x');
  assert.ok(count > sysctl('net/unix/max_dgram_qlen') + 1, `${count}`);
  assert.equal(raw.poll(POLL.OUT), 0);
  while (receiveCode(peer) !== 'EAGAIN');
  assert.equal(raw.poll(POLL.OUT), POLL.OUT);

  const [sender, receiver] = pair(t);
  while (sender.trySend('x'));
  const waiting = sender.send('last');
  assert.equal(sender.queuedMessages, 1);
  let last = '';
  while (last !== 'last') last = (await receiver.receive())?.data.toString() ?? '';
  await waiting;
});

row('SP-16', 'UnixSeqpacket', async (t) => {
  const [sender, receiver] = pair(t, { maxBytes: 32 * 1024 });
  const sent = Buffer.alloc(128 * 1024, 'long');
  await sender.send(sent);
  await sender.send('short');
  const message = await receiver.receive();
  assert.deepEqual(message?.data, sent.subarray(0, 32 * 1024));
  assert.ok(message.truncated);
  assert.equal(message.size, sent.length);
  const next = await receiver.receive();
  assert.equal(next?.data.toString(), 'short');
  assert.equal(next.truncated, false);
});

row('SP-17', 'UnixSeqpacket', async (t) => {
  const [socket] = pair(t);
  await socket.close();
  await rejects('ERR_FDPASS_CLOSED', socket.send('x'));
  fails('ERR_FDPASS_CLOSED', () => socket.trySend('x'));
  await socket.close();

  const before = fdCount();
  const client = new UnixSeqpacket();
  fails('ENOENT', () => client.connect(freshPath(t)));
  await client.close();
  assert.equal(fdCount(), before);
});

row('SP-18', 'UnixSeqpacket', async (t) => {
  const [socket, peer] = pair(t);
  const seen: string[] = [];
  for (const event of ['end', 'error', 'close'] as const) socket.on(event, () => seen.push(event));
  await peer.close();
  await rejects('EPIPE', socket.send('x')); // told to its promise, so there is no 'error'
  socket.on('message', () => {});
  await once(socket, 'close');
  assert.deepEqual(seen, ['end', 'close']);
  await rejects('ERR_FDPASS_CLOSED', socket.send('x'));
});
