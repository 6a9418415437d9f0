// inspectUnix(): the AF_UNIX sockets of this machine that have a name, and who holds them.
import { FdpassError, type SocketHolder } from '../base/errors';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { type AddressLike, UnixAddress } from '../fd/address';
import type { SocketType } from '../fd/describe';
import { isSupported } from '../native/binding';
import { boundSockets, type SocketState } from './bound-sockets';
import { findHolders } from './holders';

export interface UnixSocketInfo {
  /**
   * As its owner spelt it: a path may be relative to a directory that nobody knows. NULs of an abstract name are
   * shown by the kernel as '@', and a relative path that begins with '@' looks abstract.
   */
  address: UnixAddress;
  type: SocketType;
  /** 'connected' also for what a listener has accepted: that has the listener's address. A datagram socket that only receives is 'unconnected'. */
  state: SocketState;
  /** Equal to `inode` of Fd.describe(). 0n for a connection that waits to be accepted. */
  inode: bigint;
  /** By process id. Empty where this user may not look: other users' processes are for root. */
  owners: readonly SocketHolder[];
}

export interface InspectOptions {
  /** Only sockets of this name. Processes are searched only if there is one. */
  address?: AddressLike;
}

const OPTIONS: KnownNames<InspectOptions> = { address: true };

/**
 * Lists the sockets of this network namespace that are bound to a path or an abstract name, and the processes that
 * have them open. A look for people: names are chosen by their owners (one with a newline can imitate another
 * line), and all of it may have changed when it is read. Blocks for some milliseconds, longer with thousands of
 * descriptors. /proc/net/unix and /proc/PID/fd, proc(5)
 * @throws ERR_FDPASS_UNSUPPORTED_PLATFORM; what node:fs throws where /proc cannot be read
 */
export function inspectUnix(options: InspectOptions = NO_OPTIONS): UnixSocketInfo[] {
  validateOptions('options', options, OPTIONS);
  const address = options.address === undefined ? undefined : UnixAddress.from(options.address);
  if (!isSupported) {
    throw new FdpassError(
      'ERR_FDPASS_UNSUPPORTED_PLATFORM',
      `inspectUnix() reads /proc of Linux; this is ${process.platform}`,
    );
  }
  const sockets = boundSockets(address);
  const holders = findHolders(sockets.map(({ inode }) => inode));
  return sockets.map((socket) => ({ ...socket, owners: holders.get(socket.inode) ?? [] }));
}
