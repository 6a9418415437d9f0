// Which function takes which descriptor; and the refusal of one that is not what the caller would treat it as.
import { FdpassError, invalidArgType } from '../base/errors';
import { type Access, accessOf, linkOf } from './access';
import { explain, type FdInfo, type SocketType } from './describe';
import { Fd } from './fd';

/** All that is known about a descriptor. */
interface Seen extends FdInfo, Access {
  number: number;
  link: string;
}

interface Taker {
  wanted: string;
  fits(seen: Seen): boolean;
}

// in.h of ip(7).
const IPPROTO_UDP = 17;

/** What fits what: the one table, for the checks and for what their errors advise. */
const TAKERS = {
  'adoptServer()': {
    wanted: 'a listening stream socket',
    fits: (seen) => isStream(seen) && seen.listening === true,
  },
  'adoptSocket()': {
    wanted: 'a connected stream socket or a pipe',
    fits: (seen) =>
      (seen.kind === 'pipe' && (seen.readable || seen.writable)) ||
      (isStream(seen) && seen.listening === false && seen.remote !== undefined),
  },
  'adoptUdp()': {
    wanted: 'a UDP socket',
    fits: ({ type, protocol }) => type === 'dgram' && protocol === IPPROTO_UDP,
  },
  'adoptReadStream()': {
    wanted: 'a file or a device, open for reading',
    fits: (seen) => isFile(seen) && seen.readable,
  },
  'adoptWriteStream()': {
    wanted: 'a file or a device, open for writing',
    fits: (seen) => isFile(seen) && seen.writable,
  },
  'UnixStream.adopt()': unixSocket('stream', false),
  'UnixServer.adopt()': unixSocket('stream', true),
  'UnixDatagram.adopt()': unixSocket('dgram', false),
  'UnixSeqpacket.adopt()': unixSocket('seqpacket', false),
  'UnixSeqpacketServer.adopt()': unixSocket('seqpacket', true),
} satisfies Record<string, Taker>;

/** A number has no owner: whoever means to give one away says so with Fd.adopt(). */
export function requireFd(fd: unknown, advice = 'make one of a number with Fd.adopt()'): asserts fd is Fd {
  if (!(fd instanceof Fd)) throw invalidArgType('fd', 'an Fd', fd, advice);
}

/** @throws ERR_FDPASS_WRONG_KIND that says what it is and what takes it, ERR_FDPASS_CLOSED */
export function requireKind(fd: Fd, taker: keyof typeof TAKERS): void {
  check(fd, TAKERS[taker]);
}

/** An AF_UNIX socket of this type, listening or not. */
export function requireUnixSocket(fd: Fd, type: SocketType, listening: boolean): void {
  check(fd, unixSocket(type, listening));
}

function unixSocket(type: SocketType, listening: boolean): Taker {
  return {
    wanted: `${listening ? 'a listening' : 'an'} AF_UNIX ${type} socket`,
    fits: (seen) => seen.family === 'unix' && seen.type === type && seen.listening === listening,
  };
}

/** Of a family that net knows: not AF_VSOCK and the like. */
function isStream({ type, family }: Seen): boolean {
  return type === 'stream' && family !== undefined;
}

/** With a name in a file system, or a memfd. The kernel shows pidfds and namespaces as regular files, too. */
function isFile({ kind, link }: Seen): boolean {
  return (kind === 'file' || kind === 'character' || kind === 'block') && link.startsWith('/');
}

function check(fd: Fd, { wanted, fits }: Taker): void {
  requireFd(fd);
  const info = fd.describe(); // says whether it is open
  const seen = { ...info, ...more(info, fd.fd), number: fd.fd };
  if (fits(seen)) return;
  throw new FdpassError(
    'ERR_FDPASS_WRONG_KIND',
    `expected ${wanted}; descriptor ${fd.fd} is ${explain(seen, seen.link)}${reach(seen)}: ${advice(seen)}`,
  );
}

/** Of a socket, what is known without /proc: a jail may have none. */
function more(info: FdInfo, fd: number): Access & { link: string } {
  if (info.kind === 'socket') return { readable: true, writable: true, link: `socket:[${info.inode}]` };
  return { ...accessOf(fd), link: linkOf(fd) };
}

function reach(seen: Seen): string {
  const { readable, writable } = seen;
  if (!readable && !writable) return ' opened with O_PATH';
  if ((readable && writable) || !(isFile(seen) || seen.kind === 'pipe')) return '';
  return readable ? ' open for reading only' : ' open for writing only';
}

function advice(seen: Seen): string {
  const names = Object.entries<Taker>(TAKERS)
    .filter(([, { fits }]) => fits(seen))
    .map(([name]) => name);
  if (names.length > 0) return `${names.join(' or ')} ${names.length === 1 ? 'takes' : 'take'} it`;
  if (seen.kind === 'directory') return `node:fs reaches what is in it as /proc/self/fd/${seen.number}/`;
  return 'no object of Node takes it; its Fd can be kept and passed on';
}
