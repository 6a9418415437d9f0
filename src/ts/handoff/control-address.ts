// Where the control socket of a name lives, and whether that place can be trusted.
import { existsSync, lstatSync, mkdirSync } from 'node:fs';
import { constants, tmpdir } from 'node:os';
import path from 'node:path';
import { FdpassError, hasCode, outOfRange, type SystemError, systemError } from '../base/errors';
import { type AddressLike, UnixAddress } from '../fd/address';

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/;

export function validateHandoffName(name: unknown): string {
  if (typeof name === 'string' && NAME.test(name)) return name;
  throw outOfRange('options.name', 'up to 64 letters, digits, dots, dashes and underscores', name);
}

/**
 * Without an address: `<runtime directory>/<name>.sock`. The directory is made if it is missing.
 * @throws ERR_HANDOFF_UNSAFE_DIRECTORY if others could put a socket of theirs there
 */
export function controlAddress(name: string, address: AddressLike | undefined): UnixAddress {
  if (address !== undefined) return UnixAddress.from(address);
  const directory = runtimeDirectory();
  makeDirectory(directory);
  requirePrivateDirectory(directory);
  return UnixAddress.path(path.join(directory, `${name}.sock`));
}

/**
 * The same for whoever only asks: nothing is made.
 * @throws ERR_HANDOFF_UNSAFE_DIRECTORY; SystemError ENOENT for an XDG_RUNTIME_DIR that does not exist
 */
export function existingControlAddress(name: string): UnixAddress {
  const directory = existingRuntimeDirectory();
  if (existsSync(directory)) requirePrivateDirectory(directory);
  return UnixAddress.path(path.join(directory, `${name}.sock`));
}

/** Where the control sockets of this user are, without an address of their own. */
export function runtimeDirectory(): string {
  const uid = (process.geteuid as () => number)();
  const runtime = sessionDirectory();
  if (runtime !== undefined) return path.join(runtime, 'fdpass');
  return uid === 0 ? '/run/fdpass' : path.join(tmpdir(), `fdpass-${uid}`);
}

/**
 * The same for whoever asks: it may be missing, but not the folder that it is in.
 * @throws SystemError ENOENT for an XDG_RUNTIME_DIR that does not exist
 */
export function existingRuntimeDirectory(): string {
  const session = sessionDirectory();
  if (session !== undefined && !existsSync(session)) {
    const error = systemError(-constants.errno.ENOENT, 'stat');
    error.message += `: XDG_RUNTIME_DIR names ${session}, a folder that does not exist; give it the value that the service has, or unset it`;
    throw error;
  }
  return runtimeDirectory();
}

/** A relative one is to be ignored. XDG Base Directory Specification */
function sessionDirectory(): string | undefined {
  const folder = process.env['XDG_RUNTIME_DIR'];
  return folder !== undefined && path.isAbsolute(folder) ? folder : undefined;
}

function makeDirectory(directory: string): void {
  try {
    mkdirSync(directory, { mode: 0o700 });
  } catch (error) {
    if (hasCode(error, 'EEXIST')) return;
    const session = sessionDirectory();
    if (hasCode(error, 'ENOENT') && session !== undefined) explainMissing(error as SystemError, session);
    throw error;
  }
}

// The variable outlives its folder: after su and sudo, when the user has logged out, in a container without a session.
function explainMissing(error: SystemError, session: string): void {
  error.message += `: XDG_RUNTIME_DIR names ${session}, a folder that does not exist; make it, unset the variable, or give options.address`;
}

/** @throws ERR_HANDOFF_UNSAFE_DIRECTORY */
export function requirePrivateDirectory(directory: string): void {
  const status = lstatSync(directory); // not stat: a symbolic link leads where its maker likes
  const owned = status.uid === process.geteuid?.();
  if (status.isDirectory() && owned && (status.mode & 0o077) === 0) return;
  throw new FdpassError(
    'ERR_HANDOFF_UNSAFE_DIRECTORY',
    `${directory} must be a directory of uid ${process.geteuid?.()} with mode 0700 (it has uid ${status.uid}, mode ` +
      `${(status.mode & 0o7777).toString(8)}); mend or remove it, or give options.address`,
  );
}
