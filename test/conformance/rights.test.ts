// Section rights of cases.md: descriptors in messages: which arrive, with which bytes, and where the others go.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { adoptSocket, Fd, type FdLike, type Message, UnixDatagram, UnixSeqpacket, UnixStream } from 'fdpass';
import { MSG, POLL, RawSocket, SCM, SO, SOL_SOCKET } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { fdCount, identity } from '../helpers/fd-count';
import { openPipe, type Pipe, readNow, writeNow } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';
import { destroyAfter, link } from './link';
import { fails, rejects } from './outcome';
import { node, python } from './peers';
import {
  cmsg,
  cmsgLength,
  cmsgSpace,
  connectionTypes,
  flagNames,
  ints,
  packetTypes,
  rawBound,
  rawListener,
  rawOpen,
  rawPair,
  receiveCode,
  take,
  textOf,
  types,
} from './raw';
import { row } from './row';
import { fdInfo, isNonBlocking, sysctl } from './system';

const CLOSED_NUMBER = 1_000_000; // above any limit that a process has here

/** The received descriptor is that pipe's writing end, and it works. */
function isWriterOf({ reader, writer }: Pipe, received: Fd | undefined): void {
  assert.ok(received !== undefined);
  assert.notEqual(received.fd, writer.fd);
  assert.equal(identity(received.fd), identity(writer.fd));
  writeNow(received, 'through');
  assert.equal(readNow(reader), 'through');
}

/** Nobody has the writing end any more, once our own is closed. */
function isReleased({ reader, writer }: Pipe): void {
  writer.close();
  assert.equal(readNow(reader), '');
}

/** The kernel collects what nobody can reach any more after some AF_UNIX socket has been closed. */
async function becomesReleased({ reader }: Pipe): Promise<void> {
  const deadline = performance.now() + 5000;
  while (readNow(reader) !== '') {
    assert.ok(performance.now() < deadline, 'the pipe is held for ever');
    RawSocket.open('dgram').close();
    await nextTurn();
  }
}

row('RI-01', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const pipe = openPipe(t);
    const [left, right] = rawPair(t, type);
    left.send('twenty bytes of data', { fds: [pipe.writer] });
    const { data, fds, flags } = take(t, right);
    assert.equal(data.toString(), 'twenty bytes of data');
    assert.deepEqual([fds.length, flags], [1, 0]);
    isWriterOf(pipe, fds[0]);

    const { send, receive } = link(t, type, { maxFds: 1 });
    await send('twenty bytes of data', [pipe.writer]);
    const arrived = await receive();
    assert.equal(arrived.data, 'twenty bytes of data');
    assert.equal(arrived.fds.length, 1);
    isWriterOf(pipe, arrived.fds[0]);
    for (const fd of [...fds, ...arrived.fds]) fd.close();
    isReleased(pipe);
  }
});

row('RI-03', 'RawSocket', (t) => {
  for (const type of types) {
    const { writer } = openPipe(t);
    const [left, right] = rawPair(t, type);
    left.send('x', { fds: new Array<Fd>(99).fill(writer) });
    const { fds, flags } = take(t, right, { controlBytes: cmsgSpace(200 * 4) });
    assert.equal(new Set(fds.map(({ fd }) => fd)).size, 99);
    for (const { fd } of fds) assert.equal(identity(fd), identity(writer.fd));
    assert.equal(flags, 0);
    for (const fd of fds) fd.close();
  }
});

row('RI-05', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const { send, receive } = link(t, type, { maxFds: 3 });
    await send('standard', [0, 1, 2]);
    const { fds } = await receive();
    assert.deepEqual(
      fds.map(({ fd }) => identity(fd)),
      [0, 1, 2].map(identity),
    );
    assert.ok(fds.every(({ fd }) => fd > 2));
  }

  const receiver = t.keep(new UnixDatagram({ maxFds: 1 }).bind(`@${freshName()}`));
  const child = python(
    t,
    `
    import resource
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    number = min(3000, hard - 1)
    reader, writer = os.pipe()
    os.dup2(writer, number)
    os.close(writer)
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    to.connect(name(arguments[0]))
    socket.send_fds(to, [b'large'], [number])
    os.close(number)
    say(os.read(reader, 100).decode())
    `,
    { args: [receiver.address().toString()] },
  );
  const { fds } = await receiver.receive();
  const [fd] = fds as [Fd];
  writeNow(t.keep(fd), 'large number\n');
  assert.equal(await child.line(), 'large number');
});

row('RI-06', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const pipe = openPipe(t);
    const { send, receive } = link(t, type, { maxFds: 1 });
    const sending = send('take', [pipe.writer]);
    pipe.writer.close();
    await sending;
    const [fd] = (await receive()).fds as [Fd];
    writeNow(fd, 'alive');
    assert.equal(readNow(pipe.reader), 'alive');
  }

  const receiver = t.keep(new UnixDatagram({ maxFds: 1 }).bind(`@${freshName()}`));
  const child = python(
    t,
    `
    reader, writer = os.pipe()
    os.write(writer, b'left behind')
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    to.connect(name(arguments[0]))
    socket.send_fds(to, [b'x'], [reader])
    `,
    { args: [receiver.address().toString()] },
  );
  assert.equal((await child.ended).code, 0);
  const [reader] = (await receiver.receive()).fds as [Fd];
  t.keep(reader);
  assert.equal(readNow(reader), 'left behind');
  assert.equal(readNow(reader), '');
});

row('RI-12', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const pipe = openPipe(t);
    const [left, right] = rawPair(t, type);
    const before = fdCount();
    for (const bad of [-1, CLOSED_NUMBER]) {
      const control = cmsg(SOL_SOCKET, SCM.RIGHTS, ints(pipe.writer.fd, bad));
      fails('EBADF', () => left.send('x', { control }));
    }
    assert.equal(receiveCode(right), 'EAGAIN');

    const { send, receive } = link(t, type, { maxFds: 2 });
    await rejects('EBADF', send('x', [pipe.writer, CLOSED_NUMBER]));
    if (type !== 'stream') {
      await send('next'); // a stream has been destroyed by the failed write
      assert.equal((await receive()).data, 'next');
    }
    assert.ok(fdCount() >= before, 'the sender keeps its own');
    assert.equal(readNow(pipe.reader), undefined);
    isReleased(pipe);
  }
});

row('RI-14', 'UnixSeqpacket', async (t) => {
  const [left, right] = UnixSeqpacket.pair({ maxFds: 9 });
  t.keep(left);
  t.keep(right);
  const child = python(
    t,
    `
    to = socket.socket(fileno=3)
    tcp, udp, local = socket.socket(), socket.socket(type=socket.SOCK_DGRAM), socket.socket(socket.AF_UNIX)
    fds = [os.open('/', os.O_PATH), os.open('/', os.O_RDONLY), os.memfd_create('memory'), os.eventfd(0),
           select.epoll().fileno(), os.pidfd_open(os.getpid()), tcp.fileno(), udp.fileno(), local.fileno()]
    polled = select.epoll()
    fds[4] = polled.fileno()
    for fd in fds: say(os.readlink('/proc/self/fd/%d' % fd), fcntl.fcntl(fd, fcntl.F_GETFL))
    socket.send_fds(to, [b'all'], fds)
    hear()
    `,
    { fds: [left.fd] },
  );
  const sent: string[] = [];
  for (let i = 0; i < 9; i++) sent.push(await child.line());
  const { fds } = (await right.receive()) as Message;
  for (const fd of fds) t.keep(fd);
  assert.deepEqual(
    fds.map(({ fd }) => `${identity(fd)} ${flagsOf(fd)}`),
    sent,
  );
  const kinds = [
    'directory',
    'directory',
    'file',
    'anonymous',
    'anonymous',
    undefined,
    'socket',
    'socket',
    'socket',
  ];
  for (const [i, fd] of fds.entries()) {
    const { kind } = fd.describe();
    if (kinds[i] !== undefined) assert.equal(kind, kinds[i], sent[i]); // a pidfd got a file type in Linux 6.9
  }
  assert.deepEqual(
    fds.slice(6).map((fd) => [fd.describe().family, fd.describe().type]),
    [
      ['inet', 'stream'],
      ['inet', 'dgram'],
      ['unix', 'stream'],
    ],
  );
});

/** As F_GETFL says them: fdinfo adds O_CLOEXEC. */
function flagsOf(fd: number): number {
  return Number.parseInt(fdInfo(fd, 'flags') ?? '', 8) & ~0o2000000;
}

row('RI-15', 'RawSocket UnixStream', async (t) => {
  for (const type of types) {
    for (const none of [{ fds: [] }, { control: cmsg(SOL_SOCKET, SCM.RIGHTS, ints()) }]) {
      const [left, right] = rawPair(t, type);
      left.send('aa', none);
      left.send('bb');
      const { data, fds, control, flags } = take(t, right);
      assert.equal(data.toString(), type === 'stream' ? 'aabb' : 'aa');
      assert.deepEqual([fds, control, flags], [[], [], 0]);
    }
  }
  const [left, right] = rawPair(t, 'stream');
  const sender = UnixStream.adopt(left.detach());
  destroyAfter(t, sender);
  await sender.send('aa', { fds: [] });
  await sender.send('bb');
  assert.equal(textOf(right), 'aabb');
});

row('RI-16', 'RawSocket', (t) => {
  const { reader, writer } = openPipe(t);
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    const headers = (...counts: number[]): Buffer =>
      Buffer.concat(
        counts.map((count, i) =>
          cmsg(
            SOL_SOCKET,
            SCM.RIGHTS,
            ints(...new Array<number>(count).fill([writer.fd, reader.fd][i] as number)),
          ),
        ),
      );
    left.send('x', { control: headers(1, 1) });
    // Room for one header with two: two headers would not fit.
    const { fds, flags } = take(t, right, { controlBytes: cmsgSpace(8) });
    assert.deepEqual(
      fds.map(({ fd }) => identity(fd)),
      [identity(writer.fd), identity(reader.fd)],
    );
    assert.equal(flags, 0);
    fails('EINVAL', () => left.send('x', { control: headers(200, 54) }));
    assert.equal(receiveCode(right), 'EAGAIN');
  }
});

row('RI-19', 'RawSocket UnixStream', async (t) => {
  const { writer } = openPipe(t);
  const [left, right] = rawPair(t, 'stream');
  left.send('a'.repeat(10));
  left.send('b'.repeat(10), { fds: [writer] });
  left.send('c'.repeat(10));
  const first = take(t, right, { buffers: 99 });
  assert.equal(first.data.toString(), 'a'.repeat(10) + 'b'.repeat(10));
  assert.equal(first.fds.length, 1);
  const second = take(t, right, { buffers: 99 });
  assert.equal(second.data.toString(), 'c'.repeat(10));
  assert.equal(second.fds.length, 0);

  const { send, receive } = link(t, 'stream', { maxFds: 1 });
  await send('plain');
  await send('carries', [writer]);
  await send('after');
  // Plain bytes may join in front of it, never bytes behind it.
  let data = '';
  let end = -1;
  while (data !== 'plaincarriesafter') {
    const arrived = await receive();
    data += arrived.data;
    if (arrived.fds.length > 0) end = data.length;
  }
  assert.equal(end, 'plaincarries'.length);
});

row('RI-20', 'RawSocket UnixStream', async (t) => {
  const { writer } = openPipe(t);
  const [left, right] = rawPair(t, 'stream');
  for (const data of ['a'.repeat(10), 'b'.repeat(10)]) left.send(data, { fds: [writer] });
  for (const flags of [MSG.PEEK, MSG.PEEK, 0]) {
    const { data, fds } = take(t, right, { flags });
    assert.equal(data.toString(), 'a'.repeat(10));
    assert.equal(fds.length, 1);
  }
  const last = take(t, right);
  assert.equal(last.data.toString(), 'b'.repeat(10));
  assert.equal(last.fds.length, 1);

  const { send, receive } = link(t, 'stream', { maxFds: 2 });
  for (const data of ['a', 'b']) await send(data, [writer]);
  for (const data of ['a', 'b']) {
    const arrived = await receive();
    assert.deepEqual([arrived.data, arrived.fds.length], [data, 1]);
  }
});

row('RI-23', 'RawSocket', (t) => {
  const pipes = [openPipe(t), openPipe(t)] as const;
  const [left, right] = rawPair(t, 'stream');
  for (const { writer } of pipes) left.send('0123456789', { fds: [writer] });
  const { data, fds, flags } = right.receive({ controlBytes: 0 });
  assert.equal(data.length, 10);
  assert.deepEqual([fds, flagNames(flags)], [[], ['CTRUNC']]);
  isReleased(pipes[0]);
  const second = take(t, right);
  assert.deepEqual([second.data.length, second.fds.length], [10, 1]);
});

row('RI-24', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const pipe = openPipe(t);
    const [left, right] = rawPair(t, type);
    left.send('data', { fds: [pipe.writer] });
    const before = fdCount();
    const { data, fds, flags } = right.receive({ controlBytes: 0 });
    assert.equal(data.toString(), 'data');
    assert.deepEqual([fds, flagNames(flags)], [[], ['CTRUNC']]);
    assert.equal(fdCount(), before);
    isReleased(pipe);

    // The library asks for none: the sender is refused where the kernel can, else what comes is closed and told.
    const other = openPipe(t);
    const { send, receive } = link(t, type);
    const [sent] = await Promise.allSettled([send('data', [other.writer])]);
    if (sent.status === 'rejected') assert.equal(sent.reason.code, 'EPERM');
    else assert.deepEqual(await receive(), { data: 'data', fds: [], fdsDropped: true });
    isReleased(other);
  }
});

row('RI-26', 'RawSocket UnixStream', async (t) => {
  const pipe = openPipe(t);
  const [left, right] = rawPair(t, 'stream');
  assert.equal(left.send('', { fds: [pipe.writer] }), 0);
  assert.equal(receiveCode(right), 'EAGAIN');

  const { send, receive } = link(t, 'stream', { maxFds: 1 });
  await rejects('ERR_OUT_OF_RANGE', send('', [pipe.writer]));
  await send('x', [pipe.writer]);
  const { fds } = await receive();
  isWriterOf(pipe, fds[0]);
  fds[0]?.close();
  isReleased(pipe);
});

row('RI-27', 'RawSocket UnixDatagram UnixSeqpacket', async (t) => {
  for (const type of packetTypes) {
    const pipe = openPipe(t);
    const [left, right] = rawPair(t, type);
    left.send('', { fds: [pipe.writer] });
    const { size, fds } = take(t, right);
    assert.equal(size, 0);
    isWriterOf(pipe, fds[0]);
    const { send, receive } = link(t, type, { maxFds: 1 });
    await send('', [pipe.writer]);
    const arrived = await receive();
    assert.equal(arrived.data, '');
    isWriterOf(pipe, arrived.fds[0]);
  }
});

row('RI-28', 'RawSocket', (t) => {
  for (const type of types) {
    const pipe = openPipe(t);
    const [left, right] = rawPair(t, type);
    left.send('x', { fds: [pipe.writer] });
    const { fds, size, flags } = take(t, right, { buffers: [Buffer.alloc(0)] });
    assert.equal(size, 0);
    isWriterOf(pipe, fds[0]);
    if (type === 'stream') {
      const rest = take(t, right);
      assert.deepEqual([rest.data.toString(), rest.fds.length], ['x', 0]);
    } else {
      assert.deepEqual(flagNames(flags), ['TRUNC']);
      assert.equal(receiveCode(right), 'EAGAIN');
    }
  }
});

row('RI-29', 'RawSocket', (t) => {
  for (const type of types) {
    const pipe = openPipe(t);
    const [left, right] = rawPair(t, type);
    left.send('x', { fds: [pipe.writer] });
    const before = fdCount();
    const all = [MSG.PEEK, MSG.PEEK, 0].flatMap((flags) => take(t, right, { flags }).fds);
    assert.equal(new Set(all.map(({ fd }) => fd)).size, 3);
    assert.equal(fdCount(), before + 3);
    for (const fd of all) isWriterOf(pipe, fd);
    for (const fd of all) fd.close();
    isReleased(pipe);
  }
});

row('RI-30', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const pipes = [openPipe(t), openPipe(t), openPipe(t)] as const;
    const writers = pipes.map(({ writer }) => writer);
    const [left, right] = rawPair(t, type);
    left.send('x', { fds: writers });
    const { fds, flags } = take(t, right, { controlBytes: cmsgLength(8) });
    assert.equal(fds.length, 2);
    for (const [i, fd] of fds.entries()) isWriterOf(pipes[i] as Pipe, fd);
    assert.deepEqual(flagNames(flags), ['CTRUNC']);
    assert.equal(receiveCode(right), 'EAGAIN');

    const { send, receive } = link(t, type, { maxFds: 2 });
    await send('x', writers);
    const arrived = await receive();
    assert.deepEqual([arrived.fds.length, arrived.fdsDropped], [2, true]);
    isReleased(pipes[2]);
  }
});

row('RI-32', 'RawSocket', (t) => {
  const { writer } = openPipe(t);
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    left.send('x', { fds: [writer] });
    const one = take(t, right, { controlBytes: cmsgLength(4) });
    assert.deepEqual([one.fds.length, one.flags], [1, 0]);
    left.send('x', { fds: [writer, writer] });
    const two = take(t, right, { controlBytes: cmsgLength(4) });
    assert.deepEqual([two.fds.length, flagNames(two.flags)], [1, ['CTRUNC']]);
  }
});

row('RI-36', 'RawSocket', (t) => {
  const { writer } = openPipe(t);
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    right.setOption(SOL_SOCKET, SO.PASSCRED, 1);
    const rooms: [bytes: number, fds: number][] = [
      [cmsgLength(12), 0],
      [cmsgSpace(12), 0],
      [cmsgSpace(12) + cmsgLength(4), 1],
      [cmsgSpace(12) + cmsgLength(8), 2],
    ];
    for (const [controlBytes, count] of rooms) {
      left.send('x', { fds: [writer, writer, writer] });
      const { credentials, fds, flags } = take(t, right, { controlBytes });
      assert.equal(credentials?.pid, process.pid);
      assert.equal(fds.length, count, `${type}, ${controlBytes} bytes`);
      assert.deepEqual(flagNames(flags), ['CTRUNC']);
    }
  }
});

const own = { pid: process.pid, uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };

row('RI-37', 'RawSocket UnixDatagram', async (t) => {
  const pipe = openPipe(t);
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    right.setOption(SOL_SOCKET, SO.PASSCRED, 1);
    for (const controlBytes of [cmsgSpace(12) + cmsgSpace(4), 1024]) {
      left.send('x', { fds: [pipe.writer], credentials: own });
      const { credentials, fds, control, flags } = take(t, right, { controlBytes });
      assert.deepEqual(credentials, own);
      assert.deepEqual([control, flags], [[], 0]);
      isWriterOf(pipe, fds[0]);
    }
  }
  const [sender, receiver] = UnixDatagram.pair({ maxFds: 1, credentials: true });
  t.keep(sender);
  t.keep(receiver);
  await sender.send('x', undefined, { fds: [pipe.writer], credentials: own });
  const { credentials, fds } = await receiver.receive();
  assert.deepEqual(credentials, own);
  isWriterOf(pipe, t.keep(fds[0] as Fd));
});

row('RI-41', 'RawSocket', async (t) => {
  const cycles: ((writer: Fd) => RawSocket[])[] = [
    (writer) => {
      const [left, right] = rawPair(t, 'dgram');
      left.send('x', { fds: [right, writer] }); // into its own queue
      return [left, right];
    },
    (writer) => {
      const pairs = [rawPair(t, 'stream'), rawPair(t, 'stream'), rawPair(t, 'stream')];
      for (const [i, [left]] of pairs.entries()) {
        const [, next] = pairs[(i + 1) % 3] as [RawSocket, RawSocket];
        left.send('x', { fds: [next, writer] });
      }
      return pairs.flat();
    },
    (writer) => {
      const listener = rawListener(t, 'stream');
      const client = rawOpen(t, 'stream').connect(listener.address());
      client.send('x', { fds: [listener, writer] });
      return [client, listener];
    },
  ];
  for (const make of cycles) {
    const pipe = openPipe(t);
    for (const socket of make(pipe.writer)) socket.close();
    pipe.writer.close();
    await becomesReleased(pipe);
  }
});

row('RI-46', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  const { writer } = openPipe(t);
  const fds = [writer];
  const refuse = (socket: RawSocket): void => socket.setOption(SOL_SOCKET, SO.PASSRIGHTS, 0);
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    assert.equal(right.getOption(SOL_SOCKET, SO.PASSRIGHTS), 1);
    left.send('queued', { fds });
    refuse(right);
    fails('EPERM', () => left.send('x', { fds }));
    left.send('plain');
    assert.equal(take(t, right).fds.length, 1);
    assert.equal(textOf(right), 'plain');
    assert.equal(receiveCode(right), 'EAGAIN');
  }
  const bound = rawBound(t, 'dgram');
  refuse(bound);
  fails('EPERM', () => rawOpen(t, 'dgram').send('x', { fds, to: bound.address() }));
  assert.equal(receiveCode(bound), 'EAGAIN');

  for (const type of connectionTypes) {
    const listener = rawListener(t, type);
    const before = rawOpen(t, type).connect(listener.address());
    refuse(listener);
    const after = rawOpen(t, type).connect(listener.address());
    before.send('x', { fds });
    fails('EPERM', () => after.send('x', { fds }));
  }
  // The library refuses unless it was told how many.
  for (const type of types) await rejects('EPERM', link(t, type).send('x', fds));
});

row('RI-53', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  const file = path.join(tmpDir(t), 'file');
  writeFileSync(file, '0123456789');
  for (const type of types) {
    const original = t.keep(Fd.adopt(openSync(file, 'r')));
    const { send, receive } = link(t, type, { maxFds: 1 });
    await send('x', [original]);
    const [received] = (await receive()).fds as [Fd];
    assert.ok(!isNonBlocking(original.fd), 'passing has not changed it');

    const buffer = Buffer.alloc(4);
    readSync(received.fd, buffer);
    readSync(original.fd, buffer);
    assert.equal(buffer.toString(), '4567', 'the offset is shared');
    const child = python(t, 'os.set_blocking(3, False)', { fds: [received.fd] });
    await child.ended;
    assert.ok(isNonBlocking(original.fd), 'so is O_NONBLOCK');
  }
});

row('RI-56', 'UnixStream RawSocket', async (t) => {
  const pipe = openPipe(t);
  const [left, right] = rawPair(t, 'stream');
  const sender = UnixStream.adopt(left.detach());
  destroyAfter(t, sender);
  const data = Buffer.alloc(4 * sysctl('net/core/wmem_default'), 'partial sends');
  const sending = sender.send(data, { fds: [pipe.writer] });
  const parts: Buffer[] = [];
  const counts: number[] = [];
  for (let size = 0; size < data.length; size += parts.at(-1)?.length ?? 0) {
    while (right.poll(POLL.IN) === 0) await nextTurn();
    const message = take(t, right);
    for (const fd of message.fds) isWriterOf(pipe, fd);
    parts.push(message.data);
    counts.push(message.fds.length);
  }
  await sending;
  assert.ok(Buffer.concat(parts).equals(data));
  assert.ok(counts.length > 1, 'it came in parts');
  assert.deepEqual(
    counts,
    counts.map((_, i) => (i === 0 ? 1 : 0)),
  );
});

row('RI-58', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const gone = type === 'dgram' ? 'ECONNREFUSED' : 'EPIPE';
    const pipe = openPipe(t);
    const fds = [pipe.writer];
    const [left, right] = rawPair(t, type);
    right.close();
    fails(gone, () => left.send('x', { fds }));
    const dead = link(t, type, { maxFds: 1 });
    await closed(dead.receiver);
    // A stream may have heard of the end by itself.
    await assert.rejects(dead.send('x', fds), ({ code }) => [gone, 'ERR_FDPASS_CLOSED'].includes(code));

    const [unread, reader] = rawPair(t, type);
    unread.send('unread', { fds });
    reader.close();
    const { send, receiver } = link(t, type, { maxFds: 1 });
    await send('unread', fds);
    await closed(receiver);
    isReleased(pipe);
  }
});

async function closed(socket: UnixDatagram | UnixSeqpacket | UnixStream): Promise<void> {
  if (!(socket instanceof UnixStream)) return await socket.close();
  socket.destroy();
  await once(socket, 'close');
}

row('RI-59', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const { send, receive } = link(t, type, { maxFds: 1 });
    await send('without');
    assert.deepEqual(await receive(), { data: 'without', fds: [], fdsDropped: false });
    await send('with', [0]);
    assert.equal((await receive()).fds.length, 1, 'the connection goes on');
  }
});

row('RI-60', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const pipe = openPipe(t);
    const { send, receiver } = link(t, type, { maxFds: 1 });
    for (let i = 0; i < 3; i++) await send('unclaimed', [pipe.writer]);
    if (receiver instanceof UnixStream) receiver.pause();
    else {
      receiver.once('message', ({ fds }: Message) => fds[0]?.close());
      await once(receiver, 'message'); // the others may have come in the same batch
    }
    await closed(receiver);
    isReleased(pipe);
  }
  const child = node(
    t,
    `
    const { readdirSync } = require('node:fs');
    const { setImmediate: turn } = require('node:timers/promises');
    const count = () => readdirSync('/proc/self/fd').length;
    process.on('uncaughtException', () => {});
    process.on('warning', () => {});
    (async () => {
      const [left, right] = fdpass.UnixDatagram.pair({ maxFds: 1 });
      const before = count();
      right.on('message', () => { throw new Error('by the handler'); });
      for (let i = 0; i < 5; i++) await left.send('x', undefined, { fds: [0] });
      for (let i = 0; i < 2000 && count() !== before; i++) { gc(); await turn(); }
      for (let i = 0; i < 20; i++) await turn();
      for (let i = 0; i < 2000 && count() !== before; i++) { gc(); await turn(); }
      console.log(count() - before);
      await left.close();
      await right.close();
    })();`,
    { flags: ['--expose-gc', '--no-warnings'] },
  );
  assert.equal(await child.line(), '0');
  assert.equal((await child.ended).code, 0);
});

row('RI-61', 'Fd adoptSocket', async (t) => {
  const number = openSync('/dev/null', 'r');
  const fd = Fd.adopt(number);
  fd.close();
  const reused = openSync('/dev/zero', 'r');
  assert.equal(reused, number);
  fd.close();
  assert.equal(identity(reused), '/dev/zero');
  closeSync(reused);

  const [left, right] = rawPair(t, 'stream');
  const given = left.detach();
  const socket = adoptSocket(given);
  const gone = once(socket, 'close');
  assert.equal(given.fd, -1);
  given.close();
  right.send('still open');
  const [data] = (await once(socket, 'data')) as [Buffer];
  assert.equal(data.toString(), 'still open');
  socket.destroy();
  await gone;
});

row('RI-62', 'UnixDatagram UnixSeqpacket', async (t) => {
  const program = `
    peer = socket.socket(fileno=3)
    peer.setblocking(True)
    pairs = [socket.socketpair() for _ in range(4)]
    rights = array.array('i', [mine.fileno() for mine, _ in pairs])
    peer.sendmsg([b'4'], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)])
    for i, (_, other) in enumerate(pairs): other.sendall(b'socket %d' % i)
    data, control, flags, _ = peer.recvmsg(100, socket.CMSG_SPACE(16))
    (level, kind, payload), = control
    fds = array.array('i', payload)
    for i, fd in enumerate(fds): os.write(fd, b'back %d' % i)
    say(data.decode(), flags, len(fds))
    `;
  const opens = {
    dgram: (fd: Fd) => {
      const socket = t.keep(UnixDatagram.adopt(fd, { maxFds: 4 }));
      return { socket, send: (fds: Fd[]) => socket.send('all', undefined, { fds }) };
    },
    seqpacket: (fd: Fd) => {
      const socket = t.keep(UnixSeqpacket.adopt(fd, { maxFds: 4 }));
      return { socket, send: (fds: Fd[]) => socket.send('all', { fds }) };
    },
  };
  for (const type of packetTypes) {
    const [ours, theirs] = rawPair(t, type);
    const { socket, send } = opens[type](ours.detach());
    const child = python(t, program, { fds: [theirs.fd] });
    theirs.close();
    const { data, fds } = (await socket.receive()) as Message;
    assert.equal(data.toString(), '4');
    assert.equal(fds.length, 4);
    for (const [i, fd] of fds.entries()) {
      const connection = adoptSocket(fd);
      const [text] = (await once(connection, 'data')) as [Buffer];
      assert.equal(text.toString(), `socket ${i}`);
      connection.destroy();
      await once(connection, 'close');
    }
    const pipes = fds.map(() => openPipe(t));
    await send(pipes.map(({ writer }) => writer));
    assert.equal(await child.line(), 'all 0 4');
    for (const [i, { reader }] of pipes.entries()) assert.equal(readNow(reader), `back ${i}`);
  }
});

row('RI-63', 'UnixDatagram UnixSeqpacket UnixStream RawSocket', async (t) => {
  const lists: [unknown, string][] = [
    [[1.5], 'ERR_OUT_OF_RANGE'],
    [['3'], 'ERR_INVALID_ARG_TYPE'],
    [[-1], 'ERR_OUT_OF_RANGE'],
    [[2 ** 31], 'ERR_OUT_OF_RANGE'],
    [{}, 'ERR_INVALID_ARG_TYPE'],
    [new Array(254).fill(0), 'ERR_OUT_OF_RANGE'],
  ];
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    const { send, receive } = link(t, type, { maxFds: 2 });
    for (const [list, code] of lists) {
      const fds = list as FdLike[];
      await rejects(code, send('x', fds));
      fails(code, () => left.send('x', { fds }));
    }
    await send('next');
    assert.equal((await receive()).data, 'next');
    assert.equal(receiveCode(right), 'EAGAIN');
  }
});
