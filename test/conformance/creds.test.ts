// Section creds of cases.md: who sent it, who connected, who listens, as the kernel vouches for it.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { UnixDatagram, UnixSeqpacket, UnixSeqpacketServer, UnixStream } from 'fdpass';
import { type RawSocket, SCM, SO, SOL_SOCKET } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { fdCount, isCloseOnExec } from '../helpers/fd-count';
import { destroyAfter } from './link';
import { isRoot } from './needs';
import { fails, rejects } from './outcome';
import { python } from './peers';
import {
  cmsg,
  flagNames,
  rawBound,
  rawConnection,
  rawListener,
  rawOpen,
  rawPair,
  receiveCode,
  take,
  types,
} from './raw';
import { row } from './row';
import { fdInfo } from './system';

const NOBODY = 65534;
const AUTOBOUND = /^@[0-9a-f]{5}$/;
const own = { pid: process.pid, uid: process.getuid?.() ?? -1, gid: process.getgid?.() ?? -1 };

function passCredentials(socket: RawSocket, value = 1): void {
  socket.setOption(SOL_SOCKET, SO.PASSCRED, value);
}

row('CR-01', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    passCredentials(right);
    left.send('plain');
    assert.deepEqual(take(t, right).credentials, own);
  }
  for (const Class of [UnixDatagram, UnixSeqpacket]) {
    const [sender, receiver] = Class.pair({ credentials: true });
    t.keep(sender);
    t.keep(receiver);
    await sender.send('plain');
    assert.deepEqual((await receiver.receive())?.credentials, own);
  }
  const streams = UnixStream.pair({ credentials: true });
  destroyAfter(t, ...streams);
  const told = once(streams[1], 'credentials');
  streams[1].resume();
  streams[0].write('plain');
  assert.deepEqual(await told, [own]);
});

row('CR-03', 'RawSocket', (t) => {
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    left.send('x', { credentials: own });
    const unasked = take(t, right);
    assert.deepEqual([unasked.credentials, unasked.control, unasked.flags], [undefined, [], 0]);
    left.send('x', { credentials: own });
    passCredentials(right);
    assert.deepEqual(take(t, right).credentials, own);
  }
});

row('CR-08', 'RawSocket UnixDatagram', async (t) => {
  const init = { ...own, pid: 1 };
  const dead = { ...own, pid: spawnSync('true').pid };
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    passCredentials(right);
    left.send('x', { credentials: init });
    assert.deepEqual(take(t, right).credentials, init);
    fails('ESRCH', () => left.send('x', { credentials: dead }));
    assert.equal(receiveCode(right), 'EAGAIN');
  }
  const [sender, receiver] = UnixDatagram.pair({ credentials: true });
  t.keep(sender);
  t.keep(receiver);
  await sender.send('x', undefined, { credentials: init });
  assert.deepEqual((await receiver.receive()).credentials, init);
  await rejects('ESRCH', sender.send('x', undefined, { credentials: dead }));
});

row('CR-11', 'RawSocket', (t) => {
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    passCredentials(right);
    for (const controlBytes of [0, 8, 16, 20, 27, 28]) {
      left.send('x');
      const { credentials, flags } = take(t, right, { controlBytes });
      const whole = controlBytes >= 28;
      assert.deepEqual(credentials, whole ? own : undefined, `${controlBytes} bytes`);
      assert.deepEqual(flagNames(flags), whole ? [] : ['CTRUNC']);
    }
  }
});

/** Writes on descriptor 3 whenever it is told to. */
const WRITER = `
    while hear() == 'write':
        os.write(3, b'b' * 20)
        say('written')
    `;

row('CR-12', 'RawSocket', async (t) => {
  const [left, right] = rawPair(t, 'stream');
  const child = python(t, WRITER, { fds: [left.fd] });
  const both = async (): Promise<void> => {
    left.send('a'.repeat(20));
    child.write('write\n');
    await child.line();
  };
  passCredentials(right);
  await both();
  for (const pid of [process.pid, child.process.pid]) {
    const { size, credentials } = take(t, right);
    assert.deepEqual([size, credentials?.pid], [20, pid]);
  }
  left.send('a'.repeat(20));
  left.send('a'.repeat(20));
  assert.equal(take(t, right).size, 40);
  await both();
  passCredentials(right, 0);
  const joined = take(t, right);
  assert.deepEqual([joined.size, joined.credentials], [40, undefined]);
});

row('CR-13', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  passCredentials(right);
  left.send('x'.repeat(20), { credentials: own });
  for (let i = 0; i < 2; i++) {
    const { size, credentials } = take(t, right, { buffers: 10 });
    assert.deepEqual([size, credentials], [10, own]);
  }
});

row('CR-14', 'RawSocket UnixStream', async (t) => {
  const program = `
    if os.fork() == 0:
        os.write(3, b'child')
        say(os.getpid())
        os._exit(0)
    os.wait()
    os.write(3, b'parent')
    if arguments:
        os.setgid(int(arguments[0])); os.setuid(int(arguments[0]))
        os.write(3, b'nobody')
    say(os.getpid())
    `;
  const [left, right] = rawPair(t, 'stream');
  passCredentials(right);
  const child = python(t, program, { fds: [left.fd], args: isRoot ? [NOBODY] : [] });
  const forked = Number(await child.line());
  const parent = Number(await child.line());
  const received = (): unknown[] => {
    const { data, credentials } = take(t, right);
    return [data.toString(), credentials?.pid, credentials?.uid];
  };
  assert.deepEqual(received(), ['child', forked, own.uid]);
  assert.deepEqual(received(), ['parent', parent, own.uid]);
  if (isRoot) assert.deepEqual(received(), ['nobody', parent, NOBODY]);
  else t.note('not as root: no change of the uid');
  assert.equal(receiveCode(right), 'EAGAIN');

  const [sending, reading] = rawPair(t, 'stream');
  const stream = UnixStream.adopt(reading.detach(), { credentials: true });
  destroyAfter(t, stream);
  const events: string[] = [];
  stream.on('credentials', ({ pid }: { pid: number }) => events.push(`${pid}`));
  stream.on('data', (data: Buffer) => events.push(data.toString()));
  const ended = once(stream, 'end');
  const other = python(t, program, { fds: [sending.fd] });
  sending.close();
  const pids = [await other.line(), await other.line()];
  await ended;
  assert.deepEqual(events, [pids[0], 'child', pids[1], 'parent']);
});

row('CR-15', 'RawSocket', (t) => {
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    const read = (): number[] => [left, right].map((socket) => socket.getOption(SOL_SOCKET, SO.PASSCRED));
    assert.deepEqual(read(), [0, 0]);
    passCredentials(left, 100);
    assert.deepEqual(read(), [1, 0]);
  }
});

row('CR-16', 'RawSocket UnixSeqpacket UnixStream', (t) => {
  for (const type of types) {
    for (const socket of rawPair(t, type)) assert.deepEqual(socket.peerCredentials, own);
  }
  for (const socket of UnixSeqpacket.pair()) assert.deepEqual(t.keep(socket).peerCredentials, own);
  const streams = UnixStream.pair();
  destroyAfter(t, ...streams);
  for (const stream of streams) assert.deepEqual(stream.peerCredentials, own);
});

row('CR-19', 'UnixSeqpacket UnixSeqpacketServer', async (t) => {
  const name = `@${freshName()}`;
  const listening = python(
    t,
    `
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listener.bind(name(arguments[0])); listener.listen()
    say('listening')
    if os.fork() == 0:
        accepted, _ = listener.accept()  # another process than the one that listens
        say('accepted')
        hear(); os._exit(0)
    os.wait()
    `,
    { args: [name] },
  );
  await listening.line();
  const client = t.keep(new UnixSeqpacket().connect(name));
  await listening.line();
  assert.equal(client.peerCredentials.pid, listening.process.pid);
  listening.write('\n');
  await listening.ended;

  const server = t.keep(new UnixSeqpacketServer().listen(`@${freshName()}`));
  const connecting = python(
    t,
    `
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(name(arguments[0]))
    if len(arguments) > 1: os.setuid(int(arguments[1]))
    say('connected')
    hear()
    `,
    { args: [server.address().toString(), ...(isRoot ? [NOBODY] : [])] },
  );
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  t.keep(connection);
  await connecting.line();
  const expected = { ...own, pid: connecting.process.pid };
  assert.deepEqual(connection.peerCredentials, expected);
  if (!isRoot) t.note('not as root: no change of the uid');
  connecting.write('\n');
  await connecting.ended; // and reaped
  assert.deepEqual(connection.peerCredentials, expected);
});

row('CR-24', 'RawSocket UnixSeqpacket UnixStream', (t) => {
  const groups = process.getgroups?.() ?? [];
  const sorted = (list: number[]): number[] => [...list].sort((a, b) => a - b);
  const { client, server } = rawConnection(t);
  // getgroups(2) may or may not have the gid; Node adds it.
  const packets = t.keep(UnixSeqpacket.adopt(rawConnection(t, 'seqpacket').client.detach()));
  const stream = UnixStream.adopt(rawConnection(t).client.detach());
  destroyAfter(t, stream);
  for (const socket of [client, server, packets, stream]) {
    const given = socket.peerGroups();
    assert.deepEqual(sorted([...new Set([...given, own.gid])]), sorted([...new Set(groups)]));
  }
  // ERANGE is for those who bring a buffer of their own.
  fails('ENODATA', () => rawOpen(t, 'stream').peerGroups());
  fails('ENOPROTOOPT', () => client.setOption(SOL_SOCKET, SO.PEERCRED, 1));
});

row('CR-25', 'RawSocket UnixSeqpacketServer', async (t) => {
  const server = t.keep(new UnixSeqpacketServer().listen(`@${freshName()}`));
  const child = python(
    t,
    `
    client = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    client.connect(name(arguments[0]))
    hear()
    `,
    { args: [server.address().toString()] },
  );
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  t.keep(connection);
  const pidFd = t.keep(connection.peerPidFd());
  assert.ok(isCloseOnExec(pidFd.fd));
  assert.equal(fdInfo(pidFd.fd, 'Pid'), `${child.process.pid}`);
  child.write('\n');
  await child.ended;
  assert.equal(fdInfo(pidFd.fd, 'Pid'), '-1');
  const late = t.keep(connection.peerPidFd());
  assert.equal(fdInfo(late.fd, 'Pid'), '-1');
  fails('ENODATA', () => rawOpen(t, 'stream').peerPidFd());
});

row('CR-27', 'RawSocket UnixDatagram', async (t) => {
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    right.setOption(SOL_SOCKET, SO.PASSPIDFD, 1);
    left.send('x');
    const before = fdCount();
    const { pidFd, flags } = right.receive({ controlBytes: 0 });
    assert.deepEqual([pidFd, flagNames(flags)], [undefined, ['CTRUNC']]);
    assert.equal(fdCount(), before);
    left.send('x');
    const known = take(t, right).pidFd;
    assert.equal(fdInfo(known?.fd ?? -1, 'Pid'), `${process.pid}`);
  }
  const [sender, receiver] = UnixDatagram.pair({ pidFd: true });
  t.keep(sender);
  t.keep(receiver);
  await sender.send('x');
  const { pidFd } = await receiver.receive();
  assert.ok(pidFd !== undefined);
  assert.equal(fdInfo(t.keep(pidFd).fd, 'Pid'), `${process.pid}`);
});

row('CR-30', 'RawSocket UnixDatagram', async (t) => {
  for (const option of [SO.PASSCRED, SO.PASSPIDFD]) {
    const listener = rawListener(t, 'stream');
    const client = rawOpen(t, 'stream');
    try {
      client.setOption(SOL_SOCKET, option, 1);
    } catch {
      t.note('no SO_PASSPIDFD before Linux 6.5');
      continue;
    }
    client.connect(listener.address());
    assert.match(client.address().toString(), AUTOBOUND);
    assert.ok(t.keep(listener.accept()).remoteAddress().equals(client.address()));

    const receiver = rawBound(t, 'dgram');
    const sender = rawOpen(t, 'dgram');
    sender.setOption(SOL_SOCKET, option, 1);
    sender.send('x', { to: receiver.address() });
    assert.match(sender.address().toString(), AUTOBOUND);
    assert.ok(receiver.receive().from.equals(sender.address()));
  }
  const receiver = t.keep(new UnixDatagram().bind(`@${freshName()}`));
  const sender = t.keep(new UnixDatagram({ credentials: true }));
  await sender.send('x', receiver.address());
  assert.match(sender.address().toString(), AUTOBOUND);
  assert.ok((await receiver.receive()).from.equals(sender.address()));
});

row('CR-10', 'RawSocket', (t) => {
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    for (const size of [0, 8]) {
      const control = cmsg(SOL_SOCKET, SCM.CREDENTIALS, Buffer.alloc(size));
      fails('EINVAL', () => left.send('x', { control }));
    }
    assert.equal(receiveCode(right), 'EAGAIN');
  }
});
