// RawSocket: each method is its system call, and nothing is hidden or lost.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd, UnixAddress } from 'fdpass';
import { MSG, POLL, RawSocket, SCM, SO, SOL_SOCKET } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { fdCount, identity, isCloseOnExec, settledFdCount } from '../helpers/fd-count';
import { type failureOf, systemFields } from '../helpers/outcome';
import { openPipe, readNow } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';

const types = ['stream', 'dgram', 'seqpacket'] as const;
const self = { pid: process.pid, uid: process.getuid?.() as number, gid: process.getgid?.() as number };

function openPair(t: TestContext, type: (typeof types)[number]): [RawSocket, RawSocket] {
  const pair = RawSocket.pair(type);
  t.after(() => {
    for (const socket of pair) socket.close();
  });
  return pair;
}

/** `struct cmsghdr` on 64 bits: size_t, int, int, and the data, all aligned to 8. cmsg(3) */
function controlMessage(level: number, type: number, data: Buffer): Buffer {
  const image = Buffer.alloc(16 + Math.ceil(data.length / 8) * 8);
  image.writeBigUInt64LE(BigInt(16 + data.length), 0);
  image.writeInt32LE(level, 8);
  image.writeInt32LE(type, 12);
  data.copy(image, 16);
  return image;
}

for (const type of types) {
  test(`${type}: bytes of several buffers go as one, and come into several`, (t) => {
    const [left, right] = openPair(t, type);
    assert.equal(
      left.send(['ab', Buffer.from('cd'), new Uint8Array([101])].map((one) => Buffer.from(one))),
      5,
    );
    assert.equal(right.queuedBytes, 5);
    const buffers = [Buffer.alloc(2), Buffer.alloc(2), Buffer.alloc(9)];
    const message = right.receive({ buffers });
    assert.equal(message.size, 5);
    assert.equal(message.data.toString(), 'abcde');
    assert.deepEqual(
      buffers.map((buffer) => buffer.toString().replaceAll('\0', '')),
      ['ab', 'cd', 'e'],
    );
    assert.deepEqual(
      { ...message, data: '', from: message.from.kind, size: 0 },
      { data: '', from: 'unnamed', size: 0, flags: message.flags & MSG.EOR, fds: [], control: [] },
    );
  });

  test(`${type}: what would block throws EAGAIN, and poll() says when it would not`, (t) => {
    const [left, right] = openPair(t, type);
    assert.deepEqual(systemFields(failureNow(() => right.receive())), {
      code: 'EAGAIN',
      errno: -11,
      syscall: 'recvmsg',
      address: undefined,
      message: 'recvmsg EAGAIN',
    });
    assert.equal(right.poll(POLL.IN | POLL.OUT), POLL.OUT);
    const full = failureNow(() => {
      for (;;) left.send(Buffer.alloc(1000));
    });
    assert.equal(full.code, 'EAGAIN');
    assert.equal(left.poll(POLL.OUT), 0);
    assert.equal(right.poll(POLL.IN), POLL.IN);
    left.close();
    if (type !== 'dgram') assert.equal(right.poll(0) & POLL.HUP, POLL.HUP);
  });

  test(`${type}: descriptors, credentials and a pidfd come with the bytes, owned and close-on-exec`, (t) => {
    const [left, right] = openPair(t, type);
    const { reader, writer } = openPipe(t);
    right.setOption(SOL_SOCKET, SO.PASSCRED, 1);
    right.setOption(SOL_SOCKET, SO.PASSPIDFD, 1);
    left.send('x', { fds: [writer, reader], credentials: self });
    const { fds, credentials, pidFd, flags, control } = right.receive({ controlBytes: 256 });
    assert.deepEqual(credentials, self);
    assert.deepEqual(
      fds.map(({ fd }) => identity(fd)),
      [writer, reader].map(({ fd }) => identity(fd)),
    );
    assert.ok([...fds, pidFd as Fd].every(({ fd }) => isCloseOnExec(fd)));
    assert.equal(flags & MSG.CTRUNC, 0);
    assert.deepEqual(control, []);
    for (const fd of [...fds, pidFd as Fd]) fd.close();
  });

  test(`${type}: each look at a descriptor makes a new one; without room it is closed, and that is told`, (t) => {
    const [left, right] = openPair(t, type);
    const { reader, writer } = openPipe(t);
    left.send('x', { fds: [writer] });
    writer.close();
    const peeked = [1, 2].map(() => right.receive({ controlBytes: 64, flags: MSG.PEEK }));
    assert.equal(new Set(peeked.map(({ fds }) => fds[0]?.fd)).size, 2);
    const { fds, flags } = right.receive(); // controlBytes 0
    assert.equal(fds.length, 0);
    assert.equal(flags & MSG.CTRUNC, MSG.CTRUNC);
    assert.equal(readNow(reader), undefined);
    for (const message of peeked) for (const fd of message.fds) fd.close();
    assert.equal(readNow(reader), '');
  });

  test(`${type}: a control buffer of one’s own making is sent as it is`, (t) => {
    const [left, right] = openPair(t, type);
    const numbers = Buffer.from(Int32Array.of(left.fd).buffer);
    left.send('x', { control: controlMessage(SOL_SOCKET, SCM.RIGHTS, numbers) });
    const { fds } = right.receive({ controlBytes: 64 });
    assert.equal(identity((fds[0] as Fd).fd), identity(left.fd));
    fds[0]?.close();
    const both = { control: Buffer.alloc(16), fds: [0] };
    assert.equal(failureNow(() => left.send('x', both)).code, 'ERR_INVALID_ARG_TYPE');
    const broken = controlMessage(SOL_SOCKET, SCM.RIGHTS, numbers).fill(1, 0, 1);
    assert.equal(failureNow(() => left.send('x', { control: broken })).code, 'EINVAL');
  });
}

function failureNow(call: () => unknown): NodeJS.ErrnoException & Awaited<ReturnType<typeof failureOf>> {
  try {
    call();
  } catch (error) {
    return error as ReturnType<typeof failureNow>;
  }
  assert.fail('it did not fail');
}

for (const type of ['dgram', 'seqpacket'] as const) {
  test(`${type}: a packet longer than the buffer is cut, and its real size is told if asked`, (t) => {
    const [left, right] = openPair(t, type);
    left.send('long packet');
    left.send('long packet');
    const cut = right.receive({ buffers: 4 });
    assert.deepEqual([cut.size, cut.data.toString(), cut.flags & MSG.TRUNC], [4, 'long', MSG.TRUNC]);
    const asked = right.receive({ buffers: 4, flags: MSG.TRUNC });
    assert.deepEqual([asked.size, asked.data.toString(), asked.flags & MSG.TRUNC], [11, 'long', MSG.TRUNC]);
  });
}

test('stream: control messages that this package does not know come as they are', (t) => {
  const [left, right] = openPair(t, 'stream');
  const known = (() => {
    try {
      right.setOption(SOL_SOCKET, SO.INQ, 1);
      return true;
    } catch {
      return false;
    }
  })();
  if (!known) return t.skip('SO_INQ of AF_UNIX: Linux 6.17');
  left.send('12345');
  const { control } = right.receive({ buffers: 2, controlBytes: 64 });
  assert.deepEqual(control, [
    { level: SOL_SOCKET, type: SCM.INQ, data: Buffer.from(Int32Array.of(3).buffer) },
  ]);
});

test('a server and a client, call by call', (t) => {
  const at = path.join(tmpDir(t), 's');
  const listener = RawSocket.open('stream').bind(at).listen(1);
  assert.equal(failureNow(() => listener.accept()).code, 'EAGAIN');
  const client = RawSocket.open('stream').connect(at);
  const server = listener.accept();
  assert.ok(client.remoteAddress().equals(at));
  assert.ok(server.address().equals(at));
  assert.ok(server.remoteAddress().equals(UnixAddress.unnamed));
  assert.deepEqual(client.peerCredentials, self);
  assert.ok(Array.isArray(server.peerGroups()));
  server.peerPidFd().close();
  assert.notEqual(client.cookie, server.cookie);
  client.shutdown('write');
  assert.equal(server.receive().size, 0);
  assert.equal(failureNow(() => client.send('x')).code, 'EPIPE');
  for (const socket of [client, server, listener]) socket.close();
});

test('datagrams tell who sent them, and go to whom they are sent', (t) => {
  const [left, right] = [RawSocket.open('dgram').bind(), RawSocket.open('dgram').bind(`@${freshName()}`)];
  t.after(() => {
    left.close();
    right.close();
  });
  left.send('x', { to: right.address() });
  assert.ok(right.receive().from.equals(left.address()));
  const name = `@${freshName()}`;
  assert.equal(failureNow(() => left.send('x', { to: name })).message, `sendmsg ECONNREFUSED ${name}`);
  assert.equal(failureNow(() => left.connect(name)).message, `connect ECONNREFUSED ${name}`);
  assert.equal(failureNow(() => left.send('x')).code, 'ENOTCONN');
});

test('a cookie is the same for every descriptor of a socket, whoever holds it', (t) => {
  const [left, right] = openPair(t, 'stream');
  const other = RawSocket.adopt(Fd.dup(left));
  assert.equal(other.cookie, left.cookie);
  assert.notEqual(right.cookie, left.cookie);
  other.close();
});

test('sockets of another family can be adopted, and everything that is no socket is refused', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  const udp = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await Promise.all([once(server, 'listening'), once(udp, 'listening')]);
  for (const from of [server, udp]) {
    const socket = RawSocket.adopt(Fd.dup(from));
    assert.equal(socket.getOption(SOL_SOCKET, SO.DOMAIN), 2); // AF_INET
    socket.close();
  }
  server.close();
  udp.close();
  const { reader } = openPipe(t);
  assert.equal(failureNow(() => RawSocket.adopt(reader)).code, 'ENOTSOCK');
  assert.notEqual(reader.fd, -1, 'not consumed');
});

test('every method of a socket that was closed or detached says so', (t) => {
  const [left, right] = openPair(t, 'stream');
  left.detach().close();
  right.close();
  right.close();
  const calls: ((socket: RawSocket) => unknown)[] = [
    (socket) => socket.bind(),
    (socket) => socket.connect('@nobody'),
    (socket) => socket.listen(1),
    (socket) => socket.accept(),
    (socket) => socket.shutdown('both'),
    (socket) => socket.send('x'),
    (socket) => socket.receive(),
    (socket) => socket.address(),
    (socket) => socket.remoteAddress(),
    (socket) => socket.getOption(SOL_SOCKET, SO.TYPE),
    (socket) => socket.setOption(SOL_SOCKET, SO.PASSCRED, 1),
    (socket) => socket.peerCredentials,
    (socket) => socket.peerGroups(),
    (socket) => socket.peerPidFd(),
    (socket) => socket.cookie,
    (socket) => socket.queuedBytes,
    (socket) => socket.poll(POLL.IN),
    (socket) => socket.detach(),
  ];
  for (const socket of [left, right]) {
    for (const call of calls)
      assert.equal(failureNow(() => call(socket)).code, 'ERR_FDPASS_CLOSED', `${call}`);
    assert.equal(socket.fd, -1);
  }
});

test('a wrong name or number is refused and never reaches the addon', async (t) => {
  const [left] = openPair(t, 'stream');
  const before = await settledFdCount();
  for (const name of ['raw', 'toString', 'constructor', '__proto__', 5, undefined]) {
    assert.equal(failureNow(() => RawSocket.open(name as 'stream')).code, 'ERR_OUT_OF_RANGE', `${name}`);
    assert.equal(failureNow(() => RawSocket.pair(name as 'stream')).code, 'ERR_OUT_OF_RANGE');
    assert.equal(failureNow(() => left.shutdown(name as 'read')).code, 'ERR_OUT_OF_RANGE');
  }
  for (const buffers of ['x', ['x'], Buffer.alloc(1), [5], {}, null]) {
    if (buffers === null) continue;
    assert.equal(
      failureNow(() => left.receive({ buffers: buffers as Uint8Array[] })).code,
      'ERR_INVALID_ARG_TYPE',
    );
  }
  for (const controlBytes of [-1, 65537, 1.5])
    assert.throws(() => left.receive({ controlBytes }), RangeError);
  assert.throws(() => left.getOption(2 ** 31, 1), RangeError);
  assert.throws(() => left.poll(-1), RangeError);
  assert.equal(await settledFdCount(), before);
});

test('an array of buffers is read once, before any of their memory is looked up', (t) => {
  const [left, right] = openPair(t, 'dgram');
  const withGetter = (get: () => Uint8Array, first: Uint8Array): Uint8Array[] =>
    Object.defineProperty([first], 1, { get, enumerable: true }) as Uint8Array[];
  let reads = 0;
  const gone = new Uint8Array(4096).fill(7);
  const detach = (): Uint8Array => {
    reads++;
    structuredClone(gone.buffer, { transfer: [gone.buffer] });
    return Buffer.from('end');
  };
  assert.equal(left.send(withGetter(detach, gone)), 3);
  assert.equal(right.receive().data.toString(), 'end');
  const taken = new Uint8Array(4096);
  const transfer = (): Uint8Array => {
    reads++;
    structuredClone(taken.buffer, { transfer: [taken.buffer] });
    return Buffer.alloc(3);
  };
  left.send('come');
  assert.equal(right.receive({ buffers: withGetter(transfer, taken) }).data.toString(), 'com');
  assert.equal(reads, 2);
  const close = (): Uint8Array => {
    left.close();
    return Buffer.from('late');
  };
  assert.equal(failureNow(() => left.send(withGetter(close, Buffer.from('too')))).code, 'ERR_FDPASS_CLOSED');
});

test('an array of too many buffers is the EMSGSIZE of the kernel, however long it is; one with a hole is refused', (t) => {
  const [left, right] = openPair(t, 'dgram');
  const one = Buffer.from('x');
  const many = (length: number): Buffer[] =>
    Object.assign(
      Array.from({ length: 1025 }, () => one),
      { length },
    );
  assert.equal(left.send(many(1024)), 1024);
  for (const length of [1025, 2 ** 32 - 1]) {
    assert.equal(failureNow(() => left.send(many(length))).code, 'EMSGSIZE');
    assert.equal(failureNow(() => right.receive({ buffers: many(length) })).code, 'EMSGSIZE');
  }
  // biome-ignore lint/suspicious/noSparseArray: that is what is tried
  const sparse = [one, , one] as Buffer[];
  assert.equal(failureNow(() => left.send(sparse)).code, 'ERR_INVALID_ARG_TYPE');
  assert.equal(failureNow(() => right.receive({ buffers: sparse })).code, 'ERR_INVALID_ARG_TYPE');
});

test('a lost one is closed by the collector, with a warning that names its class', async () => {
  assert.ok(global.gc, 'run with --expose-gc');
  const before = fdCount();
  const warned = once(process, 'warning') as Promise<[Error & { code: string }]>;
  (() => void RawSocket.open('stream'))();
  while (fdCount() > before) {
    global.gc();
    await nextTurn();
  }
  const [{ code, message }] = await warned;
  assert.equal(code, 'FDPASS_LOST_FD');
  assert.match(message, /: its RawSocket was lost while open\. Call close\(\)\.$/);
});
