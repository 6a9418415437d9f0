// Binding a socket to its name: modes, leftovers of dead processes, and removing only what is ours.
import { chmodSync, lstatSync, statSync, unlinkSync } from 'node:fs';
import { FdpassError, hasCode, withAddress } from '../base/errors';
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

/**
 * bind(2) with a name. An unnamed address asks the kernel for an abstract one.
 * @param type SOCK_* of `fd`, to probe a leftover with
 * @throws SystemError EADDRINUSE, EACCES, ENOENT, EINVAL if `fd` is bound already
 */
export function bindUnix(fd: number, address: UnixAddress, type: number, options: BindOptions): BoundName {
  if (address.kind !== 'path') {
    bindOrThrow(fd, address);
    return { unlink() {} };
  }
  const { mode } = options;
  // The file is created with the mode of the socket's own inode (unix_bind_bsd() in net/unix/af_unix.c):
  // narrow before the name exists, so that there is no moment in which a stranger could connect.
  if (mode !== undefined) binding.setMode(fd, validateInteger('options.mode', mode, 0, 0o777));
  try {
    bindOrThrow(fd, address);
  } catch (error) {
    if (!options.replaceStale || !hasCode(error, 'EADDRINUSE')) throw error;
    replaceStale(fd, address, type, error);
  }
  const path = pathOf(address);
  if (mode !== undefined) chmodSync(path, mode); // what the umask took away
  return { unlink: options.unlinkOnClose === false ? () => {} : unlinkIfSame(path) };
}

function bindOrThrow(fd: number, address: UnixAddress): void {
  try {
    binding.bind(fd, address.sunPath);
  } catch (error) {
    throw withAddress(error, address.toString());
  }
}

function replaceStale(fd: number, address: UnixAddress, type: number, inUse: unknown): void {
  using lock = PathLock.tryTake(`${address.bytes.toString()}.lock`);
  if (lock === undefined || !isStale(address, type)) throw inUse;
  unlinkSync(pathOf(address));
  bindOrThrow(fd, address);
}

/** True if the file is a socket that nobody serves. connect(2) says ECONNREFUSED for it. */
export function isStale(address: UnixAddress, type: number): boolean {
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

// The number of an inode is given out again at once on some file systems, but not while the socket
// that was bound to it is open: that is when unlink() is called.
function unlinkIfSame(path: Buffer): () => void {
  const ours = statSync(path, { bigint: true });
  return () => {
    const now = statSync(path, { bigint: true, throwIfNoEntry: false });
    if (now === undefined || now.ino !== ours.ino || now.dev !== ours.dev) return;
    try {
      unlinkSync(path);
    } catch (error) {
      process.emitWarning(
        new FdpassError('ERR_FDPASS_UNLINK', `${path} could not be removed`, { cause: error }),
      );
    }
  };
}
