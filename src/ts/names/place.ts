// Place: where the file of an address is, for node:fs, and the lock that belongs to it.
import { randomBytes } from 'node:crypto';
import { readlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { hasCode, outOfRange, type SystemError, systemError } from '../base/errors';
import { MAX_ADDRESS_BYTES } from '../base/limits';
import { pathOf, printable, UnixAddress } from '../fd/address';
import { PathLock } from './path-lock';
import { requirePermission } from './permission';

export interface Place {
  address: UnixAddress;
  /** Absolute: still the same file after process.chdir(). */
  path: Buffer;
}

/** Of an address that is a path. */
export function placeOf(address: UnixAddress): Place {
  return { address, path: absolute(pathOf(address)) };
}

/**
 * One with a name of its own in the same directory, which rename(2) needs.
 * @throws RangeError if that does not fit into an address
 */
export function temporaryPlace({ address, path }: Place): Place {
  const name = `.fdp-${randomBytes(4).toString('hex')}`;
  const bytes = Buffer.concat([directoryOf(address.bytes), Buffer.from(name)]);
  if (bytes.length > MAX_ADDRESS_BYTES) {
    const room = MAX_ADDRESS_BYTES - name.length;
    throw outOfRange(
      'address',
      `in a directory whose path has at most ${room} bytes with options.replace, for the temporary name in it (give a path relative to it)`,
      address,
    );
  }
  return {
    address: UnixAddress.path(bytes),
    path: Buffer.concat([directoryOf(path), Buffer.from(name)]),
  };
}

/**
 * Waits for the turn to decide about a name.
 * @throws ERR_FDPASS_PERMISSION; SystemError EADDRINUSE if it does not come in time, ENOENT, EACCES
 */
export function lockPlace({ address, path }: Place, waitMs: number): PathLock {
  requirePermission(path);
  let lock: PathLock | undefined;
  try {
    lock = PathLock.take(path, waitMs);
  } catch (error) {
    // The directory's fault, as bind(2) would have said it.
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) throw systemError((error as SystemError).errno, 'bind');
    throw error;
  }
  if (lock !== undefined) return lock;
  const error = systemError(-constants.errno.EADDRINUSE, 'bind', address.toString());
  error.message += ` (another process is deciding about this name: it has locked ${printable(PathLock.pathFor(path))})`;
  throw error;
}

/** With its last slash; empty for a bare name. */
function directoryOf(path: Buffer): Buffer {
  return path.subarray(0, path.lastIndexOf('/') + 1);
}

function absolute(path: Buffer): Buffer {
  if (path[0] === 0x2f) return path;
  // process.cwd() would read the bytes as text.
  return Buffer.concat([readlinkSync('/proc/self/cwd', { encoding: 'buffer' }), Buffer.from('/'), path]);
}
