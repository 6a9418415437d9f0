// What a descriptor refers to, in words.
import { constants } from 'node:fs';
import { binding, type InetEndpoint, type RawDescription } from '../native/binding';
import { UnixAddress } from './address';

export type SocketFamily = 'unix' | 'inet' | 'inet6';
export type SocketType = 'stream' | 'dgram' | 'seqpacket';

/** What a descriptor is. The fields after `inode` are there for sockets only. fstat(2), socket(7) */
export interface FdInfo {
  kind: 'socket' | 'file' | 'directory' | 'pipe' | 'character' | 'block' | 'anonymous';
  /** Equal for every duplicate of one socket, pipe or file; with `device` it names the file. */
  inode: bigint;
  device: bigint;
  family?: SocketFamily | undefined;
  type?: SocketType | undefined;
  /** IPPROTO_*: 6 is TCP, 17 is UDP, 0 on AF_UNIX. */
  protocol?: number;
  /** listen(2) was called on it. */
  listening?: boolean;
  local?: UnixAddress | InetEndpoint | undefined;
  remote?: UnixAddress | InetEndpoint | undefined;
}

const KINDS: Record<number, FdInfo['kind']> = {
  [constants.S_IFSOCK]: 'socket',
  [constants.S_IFREG]: 'file',
  [constants.S_IFDIR]: 'directory',
  [constants.S_IFIFO]: 'pipe',
  [constants.S_IFCHR]: 'character',
  [constants.S_IFBLK]: 'block',
};
// AF_* of socket(2) and SOCK_* of include/linux/net.h.
const FAMILIES: Record<number, SocketFamily> = { 1: 'unix', 2: 'inet', 10: 'inet6' };
export const SOCKET_TYPES: Record<number, SocketType> = { 1: 'stream', 2: 'dgram', 5: 'seqpacket' };

export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_SEQPACKET = 5;

/** @throws SystemError EBADF */
export function describeFd(fd: number): FdInfo {
  const raw = binding.describe(fd);
  // eventfd, epoll, pidfd and the like have no file type at all: anon_inode.
  const info: FdInfo = {
    kind: KINDS[raw.mode & constants.S_IFMT] ?? 'anonymous',
    inode: raw.inode,
    device: raw.device,
  };
  return raw.domain === -1 ? info : { ...info, ...describeSocket(fd, raw) };
}

function describeSocket(fd: number, raw: RawDescription): Partial<FdInfo> {
  const family = FAMILIES[raw.domain];
  return {
    family,
    type: SOCKET_TYPES[raw.type],
    protocol: raw.protocol,
    listening: raw.listening === 1,
    local: ask(fd, family, 'local'),
    remote: ask(fd, family, 'remote'),
  };
}

function ask(fd: number, family: SocketFamily | undefined, end: 'local' | 'remote'): FdInfo['local'] {
  try {
    if (family === 'unix') {
      const sunPath = end === 'local' ? binding.localUnixAddress(fd) : binding.remoteUnixAddress(fd);
      return UnixAddress.fromSunPath(sunPath);
    }
    if (family === undefined) return undefined;
    return end === 'local' ? binding.localInetAddress(fd) : binding.remoteInetAddress(fd);
  } catch {
    return undefined; // ENOTCONN: no such end
  }
}

const WORDS: Partial<Record<FdInfo['kind'], string>> = {
  file: 'a file',
  directory: 'a directory',
  pipe: 'a pipe',
  character: 'a character device',
  block: 'a block device',
};

/**
 * One line for error texts: "a listening TCP socket on 127.0.0.1:80", "a file".
 * @param link what /proc/self/fd says, the only name of an eventfd, a pidfd or a namespace
 */
export function explain(info: FdInfo, link: string): string {
  if (info.kind !== 'socket') {
    const named = link.startsWith('/') || info.kind === 'pipe';
    return (named && WORDS[info.kind]) || `a kernel object (${link})`;
  }
  const protocol =
    info.protocol === 6
      ? 'TCP'
      : info.protocol === 17
        ? 'UDP'
        : `${info.family ?? 'unknown'} ${info.type ?? ''}`;
  const where = info.local === undefined ? '' : ` on ${printEndpoint(info.local)}`;
  return `a ${info.listening ? 'listening ' : ''}${protocol.trim()} socket${where}`;
}

export function printEndpoint(endpoint: UnixAddress | InetEndpoint): string {
  if (endpoint instanceof UnixAddress) return endpoint.toString();
  const host = endpoint.family === 'IPv6' ? `[${endpoint.address}]` : endpoint.address;
  return `${host}:${endpoint.port}`;
}
