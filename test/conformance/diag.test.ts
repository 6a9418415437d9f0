// Section diag of cases.md: finding out who has a socket, and whether two descriptors are one.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { Fd, inspectUnix } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { python } from './peers';
import { freshAddresses, rawListener, rawPair, take } from './raw';
import { row } from './row';

/** The inode of the socket with that name, as /proc/net/unix prints it: the path, or '@name'. */
function inodeOf(address: string): bigint {
  const line = readFileSync('/proc/net/unix', 'utf8')
    .split('\n')
    .find((one) => one.endsWith(` ${address}`));
  return BigInt(line?.trim().split(/\s+/)[6] ?? -1);
}

function holds(pid: number, inode: bigint): boolean {
  return readdirSync(`/proc/${pid}/fd`).some((number) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${number}`) === `socket:[${inode}]`;
    } catch {
      return false; // closed meanwhile, such as that of the folder
    }
  });
}

/** Asks by netlink for every AF_UNIX socket with a name, and says the inodes of the one asked for. sock_diag(7) */
const SOCK_DIAG = `
    wanted = name(arguments[0]).encode()
    netlink = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 4)
    request = struct.pack('=BBHIIIII', socket.AF_UNIX, 0, 0, 0xffffffff, 0, 1, 0, 0)
    netlink.send(struct.pack('=IHHII', 16 + len(request), 20, 0x301, 1, 0) + request)
    found, done = [], False
    while not done:
        data = netlink.recv(1 << 16)
        while data:
            size, kind = struct.unpack_from('=IH', data)
            if kind == 3: done = True; break
            if kind == 2: say('error', struct.unpack_from('=i', data, 16)[0]); sys.exit()
            inode, = struct.unpack_from('=I', data, 20)
            at = 32
            while at < size:
                length, attribute = struct.unpack_from('=HH', data, at)
                if attribute == 0 and data[at + 4:at + length].rstrip(b'\\0') == wanted: found.append(inode)
                at += (length + 3) & ~3
            data = data[(size + 3) & ~3:]
    say(*found)
    `;

row('DI-03', 'RawSocket Fd inspectUnix', async (t) => {
  for (const address of freshAddresses(t)) {
    const listener = rawListener(t, 'stream', address);
    const inode = inodeOf(address);
    const fd = t.keep(Fd.dup(listener));
    assert.equal(fd.describe().inode, inode);
    const child = python(t, "say('holds'); hear()", { fds: [listener.fd] });
    await child.line();
    assert.ok(holds(process.pid, inode));
    assert.ok(holds(child.process.pid as number, inode));

    const [socket, ...others] = inspectUnix({ address });
    assert.deepEqual([socket?.state, socket?.inode, others], ['listening', inode, []]);
    const pids = socket?.owners.map(({ pid }) => pid);
    assert.deepEqual(new Set(pids), new Set([process.pid, child.process.pid]));

    const asking = python(t, SOCK_DIAG, { args: [address] });
    assert.equal(await asking.line(), `${inode}`);
  }
});

row('DI-06', 'RawSocket Fd', (t) => {
  const [left, right] = rawPair(t, 'dgram');
  const copy = t.keep(RawSocket.adopt(Fd.dup(left)));
  assert.equal(copy.cookie, left.cookie);
  assert.notEqual(right.cookie, left.cookie);
  left.send('x', { fds: [left] });
  const [fd] = take(t, right).fds as [Fd];
  assert.equal(t.keep(RawSocket.adopt(fd)).cookie, left.cookie);
});
