// Fd: who closes a descriptor, and what is told about it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { closeSync, fstatSync, mkdirSync, openSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd, UnixAddress, UnixDatagram, UnixSeqpacketServer } from 'fdpass';
import { binding } from '#fdpass/native/binding';
import { freshName } from '../helpers/address-name';
import { fdCount, identity, isCloseOnExec } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { openPipe } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';

function isOpen(fd: number): boolean {
  try {
    fstatSync(fd);
    return true;
  } catch {
    return false;
  }
}

function openNull(): number {
  return openSync('/dev/null', 'r');
}

test('adopt takes the number over and close closes it, once', () => {
  const number = openNull();
  const fd = Fd.adopt(number);
  assert.equal(fd.fd, number);
  fd.close();
  assert.equal(fd.fd, -1);
  assert.equal(isOpen(number), false);
  const reused = openNull();
  assert.equal(reused, number, 'the kernel gives the lowest free number');
  fd.close();
  assert.ok(isOpen(reused), 'a second close() must not reach the new owner of the number');
  closeSync(reused);
});

test('closeAll() closes what is open, whatever was closed or given away before', () => {
  const numbers = Array.from({ length: 5 }, openNull);
  const fds = numbers.map((number) => Fd.adopt(number));
  fds[0]?.close();
  const given = fds[1]?.detach() as number;
  Fd.closeAll(fds);
  assert.deepEqual(
    fds.map(({ fd }) => fd),
    [-1, -1, -1, -1, -1],
  );
  assert.deepEqual(
    numbers.map(isOpen),
    numbers.map((number) => number === given),
  );
  Fd.closeAll(fds);
  Fd.closeAll(new Set([Fd.adopt(given)]));
  assert.equal(isOpen(given), false);
});

test('closeAll() of a list that throws, or has something else in it, closes those before it and no others', () => {
  const lists: ((fds: Fd[]) => Iterable<Fd>)[] = [
    function* ([first, second]) {
      yield first as Fd;
      yield second as Fd;
      throw new TypeError('from the list');
    },
    ([first, second, third]) => [first, second, { fd: 7 }, third] as Fd[],
    ([first, second, third]) => [first, second, undefined, third] as Fd[],
  ];
  for (const listOf of lists) {
    const numbers = Array.from({ length: 3 }, openNull);
    const fds = numbers.map((number) => Fd.adopt(number));
    assert.throws(() => Fd.closeAll(listOf(fds)), TypeError);
    assert.deepEqual(numbers.map(isOpen), [false, false, true]);
    assert.equal(fds[2]?.fd, numbers[2]);
    Fd.closeAll(fds);
  }
});

test('adopting a number that is no descriptor is EBADF', () => {
  const number = openNull();
  closeSync(number);
  assert.throws(() => Fd.adopt(number), { code: 'EBADF', syscall: 'fstat' });
});

test('adopting what is no number is refused before any system call', () => {
  for (const fd of [-1, 1.5, 2 ** 31]) assert.throws(() => Fd.adopt(fd), { code: 'ERR_OUT_OF_RANGE' });
  for (const fd of ['3', null, {}]) {
    assert.throws(() => Fd.adopt(fd as number), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /^fd must be a number/,
    });
  }
});

test('a duplicate is the same file under a number from 3, close-on-exec, and leaves the original open', () => {
  for (const original of [0, 1, 2]) {
    const duplicate = Fd.dup(original);
    assert.ok(duplicate.fd >= 3);
    assert.ok(isCloseOnExec(duplicate.fd));
    assert.equal(identity(duplicate.fd), identity(original));
    duplicate.close();
    assert.ok(isOpen(original));
  }
});

test('a duplicate of nothing is EBADF', () => {
  const number = openNull();
  closeSync(number);
  assert.throws(() => Fd.dup(number), { code: 'EBADF', syscall: 'fcntl' });
});

test('detach gives the number away, open', () => {
  const fd = Fd.adopt(openNull());
  const number = fd.detach();
  assert.equal(fd.fd, -1);
  fd.close();
  assert.ok(isOpen(number));
  closeSync(number);
});

test('a closed Fd refuses every use', () => {
  const fd = Fd.adopt(openNull());
  fd.close();
  for (const use of [() => fd.describe(), () => fd.detach()]) {
    assert.throws(use, {
      name: 'FdpassError',
      code: 'ERR_FDPASS_CLOSED',
      message: /closed or was given away/,
    });
  }
  assert.throws(() => Fd.dup(fd), { code: 'ERR_FDPASS_CLOSED' });
});

test('leaving a using block closes', () => {
  let number: number;
  {
    using fd = Fd.adopt(openNull());
    number = fd.fd;
    assert.ok(isOpen(number));
  }
  assert.equal(isOpen(number), false);
});

test('a lost Fd is closed by the collector, with a warning that names it', async () => {
  assert.ok(global.gc, 'run with --expose-gc');
  const before = fdCount();
  const warned = once(process, 'warning') as Promise<[Error & { code: string }]>;
  let number = -1;
  (() => {
    number = Fd.adopt(openNull()).fd;
  })();
  while (isOpen(number)) {
    global.gc();
    await nextTurn();
  }
  const [warning] = await warned;
  assert.equal(warning.name, 'FdpassWarning');
  assert.equal(warning.code, 'FDPASS_LOST_FD');
  assert.match(
    warning.message,
    new RegExp(`descriptor ${number}: its Fd was lost while open\\. Call close\\(\\)\\.$`),
  );
  assert.equal(fdCount(), before);
});

test('a closed or detached Fd is collected in silence', async () => {
  const warn = (warning: Error): void => assert.fail(warning.message);
  process.on('warning', warn);
  const number = openNull();
  let collected = false;
  const registry = new FinalizationRegistry(() => {
    collected = true;
  });
  (() => {
    Fd.dup(number).close();
    const detached = Fd.adopt(number);
    registry.register(detached, undefined);
    detached.detach();
  })();
  while (!collected) {
    global.gc?.();
    await nextTurn();
  }
  await nextTurn();
  process.off('warning', warn);
  assert.ok(isOpen(number));
  closeSync(number);
});

test('describe names files, folders, pipes, devices and anonymous inodes', (t) => {
  const folder = tmpDir(t);
  const file = path.join(folder, 'f');
  writeFileSync(file, '');
  mkdirSync(path.join(folder, 'd'));
  const opened: [string, Fd][] = [
    ['file', Fd.adopt(openSync(file, 'r'))],
    ['directory', Fd.adopt(openSync(path.join(folder, 'd'), 'r'))],
    ['character', Fd.adopt(openNull())],
    ['pipe', Fd.dup(openPipe(t).reader)],
  ];
  for (const [kind, fd] of opened) {
    const info = fd.describe();
    const stat = fstatSync(fd.fd, { bigint: true });
    assert.deepEqual(info, { kind, inode: stat.ino, device: stat.dev });
    fd.close();
  }
});

test('describe tells everything about a TCP listener', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  using fd = Fd.dup(server);
  const { inode, device, ...info } = fd.describe();
  assert.deepEqual(info, {
    kind: 'socket',
    family: 'inet',
    type: 'stream',
    protocol: 6,
    listening: true,
    local: { address: '127.0.0.1', family: 'IPv4', port: (server.address() as net.AddressInfo).port },
    remote: undefined,
  });
  assert.equal(identity(fd.fd), `socket:[${inode}]`);
  assert.equal(typeof device, 'bigint');
});

test('describe tells IPv6 and UDP sockets', () => {
  using tcp = Fd.own(binding.listenTcp('::1', 0, 1, false, true));
  const info = tcp.describe();
  assert.equal(info.family, 'inet6');
  assert.deepEqual({ ...(info.local as object), port: 0 }, { address: '::1', family: 'IPv6', port: 0 });
  using udp = Fd.own(binding.bindUdp('127.0.0.1', 0, false, false));
  const { type, protocol, listening } = udp.describe();
  assert.deepEqual({ type, protocol, listening }, { type: 'dgram', protocol: 17, listening: false });
});

test('describe tells the two ends of AF_UNIX sockets', (t) => {
  const name = `@${freshName()}`;
  const bound = new UnixDatagram().bind(name);
  const connected = new UnixDatagram().connect(name);
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  closeAfter(t, bound, connected, server);
  using local = Fd.dup(bound);
  assert.ok((local.describe().local as UnixAddress).equals(name));
  assert.equal(local.describe().remote, undefined);
  using remote = Fd.dup(connected);
  assert.ok((remote.describe().remote as UnixAddress).equals(name));
  assert.ok((remote.describe().local as UnixAddress).equals(UnixAddress.unnamed));
  using listener = Fd.dup(server);
  const { family, type, listening } = listener.describe();
  assert.deepEqual({ family, type, listening }, { family: 'unix', type: 'seqpacket', listening: true });
});

test('duplicates share an inode, other sockets do not', () => {
  const fds = binding.openPair(2).map(Fd.own) as [Fd, Fd];
  using duplicate = Fd.dup(fds[0]);
  assert.equal(duplicate.describe().inode, fds[0].describe().inode);
  assert.notEqual(duplicate.describe().inode, fds[1].describe().inode);
  for (const fd of fds) fd.close();
});
