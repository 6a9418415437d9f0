// Binding a socket to its name: modes, leftovers of dead processes, and removing only what is ours.
import { chmodSync, lstatSync, statSync, unlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { FdpassError, hasCode, systemError, withAddress } from '../base/errors';
import { validateInteger } from '../base/validate';
import { pathOf, type UnixAddress } from '../fd/address';
import { binding } from '../native/binding';
import { PathLock } from './path-lock';

export interface BindOptions {
  /** Permissions of the file, such as 0o600; connecting needs write permission. Default: 0777 less the umask. */
  mode?: number;
  /** A file that no process serves any more gives way. A live one never does. Default false: EADDRINUSE. */
  replaceStale?: boolean;
  /** Removes the file on close, if it is still ours. Default true. */
  unlinkOnClose?: boolean;
}

/** What a bound socket owes its file. */
export interface BoundName {
  /** Removes the file if the name still leads to this socket. Call it while the socket is open. */
  unlink(): void;
}

/** The socket to bind. With `backlog` it also listens, before anybody can take its fresh name for a leftover. */
export interface SocketToBind {
  fd: number;
  /** SOCK_*, to probe a leftover with. */
  type: number;
  backlog?: number;
}

/**
 * bind(2) with a name, and listen(2) with a backlog. An unnamed address asks the kernel for an abstract one.
 * @throws SystemError EADDRINUSE, EACCES, ENOENT, EINVAL if `fd` is bound already
 */
export function bindUnix(socket: SocketToBind, address: UnixAddress, options: BindOptions): BoundName {
  if (address.kind !== 'path') {
    bindAndListen(socket, address);
    return { unlink() {} };
  }
  const { mode } = options;
  // The file is created with the mode of the socket's own inode (unix_bind_bsd() in net/unix/af_unix.c):
  // narrow before the name exists, so that there is no moment in which a stranger could connect.
  if (mode !== undefined) binding.setMode(socket.fd, validateInteger('options.mode', mode, 0, 0o777));
  if (options.replaceStale) bindOverStale(socket, address);
  else bindAndListen(socket, address);
  if (mode !== undefined) chmodSync(pathOf(address), mode); // what the umask took away
  return options.unlinkOnClose === false ? { unlink() {} } : holdName(address);
}

function bindAndListen({ fd, backlog }: SocketToBind, address: UnixAddress): void {
  try {
    binding.bind(fd, address.sunPath);
    if (backlog !== undefined) binding.listen(fd, backlog);
  } catch (error) {
    throw withAddress(error, address.toString());
  }
}

// Between bind and listen a live name looks like a leftover: the lock covers both, here and in every
// other process that would replace one.
function bindOverStale(socket: SocketToBind, address: UnixAddress): void {
  using lock = PathLock.tryTake(`${address.bytes.toString()}.lock`);
  if (lock === undefined) throw systemError(-constants.errno.EADDRINUSE, 'bind', address.toString());
  if (isStale(address, socket.type)) unlinkSync(pathOf(address));
  bindAndListen(socket, address);
}

/** True if the file is a socket that nobody serves. connect(2) says ECONNREFUSED for it. */
function isStale(address: UnixAddress, type: number): boolean {
  if (lstatSync(pathOf(address), { throwIfNoEntry: false })?.isSocket() !== true) return false;
  const probe = binding.openSocket(type);
  try {
    binding.connect(probe, address.sunPath);
    return false;
  } catch (error) {
    // Anything else (EAGAIN, EACCES, EPROTOTYPE) comes from a live socket or tells nothing.
    return hasCode(error, 'ECONNREFUSED');
  } finally {
    binding.closeFd(probe);
  }
}

/**
 * Takes charge of the file that leads to a socket now. The number of an inode is given out again at once
 * on some file systems, but not while the socket that was bound to it is open: unlink() while it is.
 */
export function holdName(address: UnixAddress): BoundName {
  if (address.kind !== 'path') return { unlink() {} };
  const path = pathOf(address);
  const ours = identity(path);
  return {
    unlink() {
      if (ours === undefined || identity(path) !== ours) return;
      try {
        unlinkSync(path);
      } catch (cause) {
        process.emitWarning(
          new FdpassError('ERR_FDPASS_UNLINK', `${address} could not be removed`, { cause }),
        );
      }
    },
  };
}

/** Undefined where there is no such file, or none that this process may see: then it is not ours to remove. */
function identity(path: Buffer): string | undefined {
  try {
    const { dev, ino } = statSync(path, { bigint: true });
    return `${dev}:${ino}`;
  } catch {
    return undefined;
  }
}
