// Section flags of cases.md: flags of messages, options of sockets, urgent bytes, what a descriptor is born with.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import { Fd, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer, UnixServer, UnixStream } from 'fdpass';
import { MSG, POLL, RawSocket, SCM, SO, SOL_SOCKET } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { isCloseOnExec } from '../helpers/fd-count';
import { destroyAfter } from './link';
import { kernelIsAtLeast } from './needs';
import { EOPNOTSUPP, fails } from './outcome';
import {
  connectionTypes,
  flagNames,
  names,
  packetTypes,
  rawConnection,
  rawOpen,
  rawPair,
  receiveCode,
  take,
  textOf,
  types,
} from './raw';
import { row } from './row';
import { cpuShareWhile, IDLE, isNonBlocking, milliseconds } from './system';

row('FL-01', 'RawSocket', (t) => {
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    left.send('x');
    assert.equal(right.receive().flags, 0);
    assert.equal(receiveCode(right), 'EAGAIN'); // an error, and no flags that could be read
    left.send('x');
    assert.equal(right.receive().flags, 0);
  }
});

row('FL-05', 'RawSocket', (t) => {
  const joins = kernelIsAtLeast('6.18');
  if (!joins) t.note('stream left out: its kernel is older than 6.18');
  for (const type of joins ? types : packetTypes) {
    const [left, right] = rawPair(t, type);
    assert.equal(right.getOption(SOL_SOCKET, SO.PEEK_OFF), -1);
    right.setOption(SOL_SOCKET, SO.PEEK_OFF, 0);
    left.send('aaaa');
    left.send('bbbb');
    const peek = (size: number): string => right.receive({ buffers: size, flags: MSG.PEEK }).data.toString();
    assert.deepEqual([peek(2), peek(2), peek(2), peek(2)], ['aa', 'aa', 'bb', 'bb']);
    assert.equal(right.getOption(SOL_SOCKET, SO.PEEK_OFF), 8);

    right.setOption(SOL_SOCKET, SO.PEEK_OFF, 2);
    assert.equal(peek(4), type === 'stream' ? 'aabb' : 'aa');
    if (type === 'stream') assert.equal(peek(4), 'bb');
  }
});

row('FL-06', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  fails('EINVAL', () => right.receive({ flags: MSG.OOB }));
  left.send('hello', { flags: MSG.OOB });
  const urgent = right.receive({ buffers: 1, flags: MSG.OOB });
  assert.equal(urgent.data.toString(), 'o');
  assert.deepEqual(flagNames(urgent.flags), ['OOB']);
  assert.equal(textOf(right), 'hell');
  fails('EINVAL', () => right.receive({ flags: MSG.OOB }));
});

row('FL-07', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  left.send('hello', { flags: MSG.OOB });
  left.send('world');
  assert.equal(textOf(right), 'hell');
  assert.equal(textOf(right), 'world');
  fails('EINVAL', () => right.receive({ flags: MSG.OOB }));
});

row('FL-08', 'RawSocket UnixStream', async (t) => {
  const [left, right] = rawPair(t, 'stream');
  left.send('o', { flags: MSG.OOB });
  assert.deepEqual(names(right.poll(POLL.IN | POLL.PRI), POLL), ['IN', 'PRI']);
  assert.equal(receiveCode(right), 'EAGAIN');

  const [sender, raw] = rawPair(t, 'stream');
  const reader = UnixStream.adopt(raw.detach());
  destroyAfter(t, reader);
  let read = '';
  reader.on('data', (data: Buffer) => {
    read += data.toString();
  });
  sender.send('o', { flags: MSG.OOB });
  assert.ok((await cpuShareWhile(() => milliseconds(300))) < IDLE, 'waiting behind an urgent byte spins');
  sender.send('plain');
  while (!read.endsWith('plain')) await once(reader, 'data');
  assert.ok(['plain', 'oplain'].includes(read), 'lost, or read in its place');
});

row('FL-24', 'RawSocket', (t) => {
  for (const type of packetTypes) {
    const [left, right] = rawPair(t, type);
    fails(EOPNOTSUPP, () => left.send('x', { flags: MSG.OOB }));
    fails(EOPNOTSUPP, () => right.receive({ flags: MSG.OOB }));
  }
});

row('FL-09', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  right.setOption(SOL_SOCKET, SO.INQ, 1);
  left.send('0123456789');
  for (const [size, rest] of [
    [3, 7],
    [5, 2],
    [5, 0],
  ] as const) {
    const { control } = take(t, right, { buffers: size });
    assert.deepEqual(
      control.map(({ level, type, data }) => [level, type, data.readInt32LE()]),
      [[SOL_SOCKET, SCM.INQ, rest]],
    );
    assert.equal(right.queuedBytes, rest);
  }
  for (const type of packetTypes) {
    fails('ENOPROTOOPT', () => rawOpen(t, type).setOption(SOL_SOCKET, SO.INQ, 1));
  }
});

row('FL-10', 'RawSocket', (t) => {
  for (const [type, expected] of [
    ['stream', 17],
    ['seqpacket', 17],
    ['dgram', 10],
  ] as const) {
    const [left, right] = rawPair(t, type);
    left.send(Buffer.alloc(10));
    left.send(Buffer.alloc(7));
    assert.equal(right.queuedBytes, expected, type);
  }
});

row('FL-14', 'RawSocket', async (t) => {
  const UNKNOWN = 9999;
  const IPPROTO_TCP = 6;
  for (const type of types) {
    const socket = rawOpen(t, type);
    fails('ENOPROTOOPT', () => socket.getOption(SOL_SOCKET, UNKNOWN));
    fails('ENOPROTOOPT', () => socket.setOption(SOL_SOCKET, UNKNOWN, 1));
    fails(EOPNOTSUPP, () => socket.getOption(IPPROTO_TCP, 1));
    fails(EOPNOTSUPP, () => socket.setOption(IPPROTO_TCP, 1, 1));
  }
  if (!kernelIsAtLeast('6.16')) {
    t.note('TCP left out: needs Linux 6.16');
    return;
  }
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const tcp = t.keep(RawSocket.adopt(Fd.dup(server)));
  for (const option of [SO.PASSCRED, SO.PASSRIGHTS]) {
    fails(EOPNOTSUPP, () => tcp.setOption(SOL_SOCKET, option, 1));
  }
  server.close();
  await once(server, 'close');
});

row('FL-17', 'RawSocket UnixDatagram UnixSeqpacket UnixSeqpacketServer UnixServer UnixStream', async (t) => {
  const fds: number[] = [];
  for (const type of types) {
    fds.push(rawOpen(t, type).fd, ...rawPair(t, type).map(({ fd }) => fd));
  }
  for (const type of connectionTypes) {
    const { listener, client, server } = rawConnection(t, type);
    fds.push(listener.fd, client.fd, server.fd);
  }
  const packets = t.keep(new UnixSeqpacketServer().listen(`@${freshName()}`));
  const packetClient = t.keep(new UnixSeqpacket().connect(packets.address()));
  const [packetPeer] = (await once(packets, 'connection')) as [UnixSeqpacket];
  const streams = t.keep(new UnixServer());
  streams.listen(`@${freshName()}`);
  const streamClient = UnixStream.connect(streams.address());
  const [streamPeer] = (await once(streams, 'connection')) as [UnixStream];
  destroyAfter(t, streamClient, streamPeer);
  const others = [t.keep(new UnixDatagram()), ...UnixDatagram.pair(), ...UnixSeqpacket.pair()];
  const open = [packets, packetClient, t.keep(packetPeer), streams, streamClient, streamPeer];
  for (const { fd } of [...open, ...others.map((socket) => t.keep(socket))]) fds.push(fd);
  for (const fd of fds) {
    assert.ok(fd > 2);
    assert.ok(isCloseOnExec(fd));
    assert.ok(isNonBlocking(fd));
  }
});
