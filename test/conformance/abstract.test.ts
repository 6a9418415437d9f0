// Section abstract of cases.md: names without a file: their bytes, their life, their namespace.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import {
  connectUnix,
  listenUnix,
  UnixAddress,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixServer,
  UnixStream,
} from 'fdpass';
import { freshName } from '../helpers/address-name';
import { destroyAfter } from './link';
import { codeOf, fails, rejects } from './outcome';
import { python } from './peers';
import {
  connectionTypes,
  freshPath,
  rawBound,
  rawConnection,
  rawListener,
  rawOpen,
  textOf,
  types,
} from './raw';
import { row } from './row';

const AUTOBOUND = /^@[0-9a-f]{5}$/;
const empty = UnixAddress.abstract('');

/** A name that nobody has, of these bytes and a few of ours. */
function freshBytes(...bytes: number[]): Buffer {
  return Buffer.concat([Buffer.from(freshName()), Buffer.from(bytes)]);
}

row('AB-01', 'RawSocket UnixSeqpacketServer UnixServer', async (t) => {
  const name = freshBytes(0, 0xff, 1, 10, 0x1b, 0, 0);
  const address = UnixAddress.abstract(name);
  for (const type of connectionTypes) {
    const { listener, client, server } = rawConnection(t, type, address);
    for (const shown of [listener.address(), client.remoteAddress(), server.address()]) {
      assert.deepEqual(shown.bytes, name);
    }
    for (const socket of [listener, client, server]) socket.close();
  }
  const packets = t.keep(new UnixSeqpacketServer().listen(address));
  const packetClient = t.keep(new UnixSeqpacket().connect(address));
  t.keep(((await once(packets, 'connection')) as [UnixSeqpacket])[0]);
  const streams = t.keep(new UnixServer());
  streams.listen(address);
  const streamClient = UnixStream.connect(address);
  destroyAfter(t, streamClient);
  destroyAfter(t, ((await once(streams, 'connection')) as [UnixStream])[0]);
  for (const shown of [packets.address(), packetClient.remoteAddress(), streams.address()]) {
    assert.deepEqual(shown.bytes, name);
  }
  assert.deepEqual(streamClient.peerAddress().bytes, name);
});

row('AB-04', 'RawSocket UnixDatagram', async (t) => {
  // The name is one for the whole namespace: somebody else may have it at the moment.
  const socket = rawOpen(t, 'seqpacket');
  if (codeOf(() => socket.bind(empty)) === 'EADDRINUSE') {
    t.note('the empty name is taken');
    return;
  }
  assert.equal(socket.address().kind, 'abstract');
  assert.equal(socket.address().bytes.length, 0);
  assert.ok(!socket.address().equals(UnixAddress.unnamed));
  assert.match(rawOpen(t, 'seqpacket').bind().address().toString(), AUTOBOUND);
  const automatic = t.keep(new UnixDatagram().bind());
  assert.match(automatic.address().toString(), AUTOBOUND);
});

row('AB-07', 'RawSocket', (t) => {
  const name = `@${freshName()}`;
  rawListener(t, 'stream', name).close();
  const { listener, client, server } = rawConnection(t, 'stream', name);
  listener.close();
  rawListener(t, 'stream', name);
  assert.ok(client.remoteAddress().equals(name));
  assert.ok(server.address().equals(name));
  client.send('lives');
  assert.equal(textOf(server), 'lives');
});

row(
  'AB-09',
  'RawSocket UnixDatagram UnixSeqpacketServer UnixServer UnixStream connectUnix listenUnix',
  async (t) => {
    const name = `@${freshName()}`;
    for (const type of types) fails('ECONNREFUSED', () => rawOpen(t, type).connect(name));
    fails('ECONNREFUSED', () => t.keep(new UnixSeqpacket()).connect(name));
    const refused = UnixStream.connect(name);
    destroyAfter(t, refused);
    const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
    assert.deepEqual([error.code, error.syscall], ['ECONNREFUSED', 'connect']);

    await rejects('ECONNREFUSED', once(connectUnix(name), 'connect'));

    for (const type of types) rawBound(t, type, name);
    fails('EADDRINUSE', () => t.keep(new UnixDatagram()).bind(name));
    for (const Class of [UnixSeqpacketServer, UnixServer]) {
      fails('EADDRINUSE', () => t.keep(new Class()).listen(name));
    }
    await rejects('EADDRINUSE', listenUnix(net.createServer(), name));
  },
);

row('AB-12', 'RawSocket', async (t) => {
  const name = `@${freshName()}`;
  const file = freshPath(t);
  rawListener(t, 'stream', name);
  const other = rawListener(t, 'stream', file);
  const child = python(
    t,
    `
    def stream(): return socket.socket(socket.AF_UNIX)
    say(tried(stream().connect, name(arguments[0])), tried(stream().bind, name(arguments[0])))
    say(tried(stream().connect, arguments[1]))
    `,
    { under: ['unshare', '--net'], args: [name, file] },
  );
  assert.equal(await child.line(), 'ECONNREFUSED success');
  assert.equal(await child.line(), 'success');
  t.keep(other.accept());
});

row('AB-13', 'RawSocket', (t) => {
  const name = `@${freshName()}`;
  for (const type of types) rawBound(t, type, name);
  const file = freshPath(t);
  rawBound(t, 'stream', file);
  fails('EADDRINUSE', () => rawOpen(t, 'dgram').bind(file));
});

row('AB-18', 'RawSocket UnixDatagram', (t) => {
  const name = `@${freshName()}`;
  const plain = rawBound(t, 'dgram', name);
  const slashed = t.keep(new UnixDatagram().bind(`${name}/`));
  plain.send('to the slash', { to: slashed.address() });
  fails('EAGAIN', () => plain.receive());
  const zeros = UnixAddress.abstract(Buffer.alloc(107));
  const bound = rawBound(t, 'seqpacket', zeros);
  assert.deepEqual(bound.address().bytes, Buffer.alloc(107));
});

row('AB-20', 'RawSocket', (t) => {
  for (const type of types) {
    const socket = rawBound(t, type);
    const name = socket.address();
    socket.bind();
    assert.ok(socket.address().equals(name));
    fails('EINVAL', () => socket.bind(`@${freshName()}`));
    assert.ok(socket.address().equals(name));
  }
});

row('AB-22', 'RawSocket UnixDatagram', (t) => {
  for (const type of ['stream', 'dgram'] as const) {
    fails('EINVAL', () => rawOpen(t, type).connect(UnixAddress.unnamed));
  }
  fails('EINVAL', () => t.keep(new UnixDatagram()).connect(UnixAddress.unnamed));
  fails('ERR_OUT_OF_RANGE', () => t.keep(new UnixDatagram()).connect(''));
});

row('AB-23', 'UnixAddress UnixDatagram', async (t) => {
  const name = freshName();
  const receiver = t.keep(new UnixDatagram().bind(`@${name}`));
  const forms = [
    `@${name}`,
    `\0${name}`,
    Buffer.from(`\0${name}`),
    UnixAddress.abstract(name),
    UnixAddress.abstract(Buffer.from(name)),
    receiver.address(),
  ];
  const sender = t.keep(new UnixDatagram());
  for (const form of forms) {
    await sender.send('here', form);
    assert.equal((await receiver.receive()).data.toString(), 'here');
    assert.ok(receiver.address().equals(form));
    assert.ok(UnixAddress.from(form).equals(receiver.address()));
  }
  assert.equal(receiver.address().toString(), `@${name}`);
  assert.deepEqual(receiver.address().bytes, Buffer.from(name));
});
