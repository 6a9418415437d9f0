// Binding a socket to its name: permissions, leftovers of dead processes, taking a name over, and removing only what is ours.
import { lstatSync, unlinkSync } from 'node:fs';
import { constants } from 'node:os';
import { FdpassError, hasCode, outOfRange, type SystemError, systemError } from '../base/errors';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger, validateObject } from '../base/validate';
import { printable, UnixAddress } from '../fd/address';
import { binding } from '../native/binding';
import { explainInUse, isLeftover } from './address-in-use';
import { PathLock } from './path-lock';
import { requirePermission } from './permission';
import { lockPlace, type Place, placeOf, temporaryPlace } from './place';
import { type Access, asksForAccess, birthMode, SocketFile } from './socket-file';

/** About the file of a path. An abstract name has none: `owner` and `replace` are refused for it, the others mean nothing. */
export interface BindOptions {
  /** Permissions of the file, such as 0o600; connecting needs write permission. Default: 0777 less the umask. */
  mode?: number;
  /**
   * Owner of the file, before anybody can connect; what is left out stays as it is. Needs root (CAP_CHOWN), a
   * `gid` alone membership. chown(2)
   */
  owner?: { uid?: number; gid?: number };
  /**
   * A file that no process serves any more gives way. A live one never does. All who start under one name
   * should say so: they take turns, and one wins. Default false: EADDRINUSE.
   */
  replaceStale?: boolean;
  /**
   * Takes the name over, also from a live server, without a moment in which a client is refused: the old server
   * keeps the clients that it has or that wait in its queue. Includes `replaceStale`. Only for sockets that listen.
   * The kernel, and so getsockname(2), getpeername(2) and /proc/net/unix, show the temporary name that the socket
   * was bound under. Default false.
   */
  replace?: boolean;
  /** Removes the file on close, if it is still ours. Default true. */
  unlinkOnClose?: boolean;
}

export const BIND_OPTIONS: KnownNames<BindOptions> = {
  mode: true,
  owner: true,
  replaceStale: true,
  replace: true,
  unlinkOnClose: true,
};

const OWNER: KnownNames<NonNullable<BindOptions['owner']>> = { uid: true, gid: true };

/** What a bound socket owes its file. */
export interface BoundName {
  /** The name that is served; with `replace` not the one that the kernel knows. */
  readonly address: UnixAddress;
  /**
   * Removes the file if the name still leads to this socket. Call it while the socket is open. Never throws: a
   * file that cannot be removed stays, with a process warning.
   */
  unlink(): void;
}

/** The socket to bind. With `backlog` it also listens, before anybody can take its fresh name for a leftover. */
export interface SocketToBind {
  fd: number;
  /** SOCK_*, to probe a leftover with. */
  type: number;
  backlog?: number;
}

/** How long to wait for others that decide about the same name, who may be many. */
const REPLACE_WAIT_MS = 5000;
/** For one other: whoever wins, this one is told. */
const STALE_WAIT_MS = 500;
/** Of close(), for which a file left behind is the lesser evil. */
const UNLINK_WAIT_MS = 100;

/** Of 32 random bits, two in a row that are taken are no accident. */
const TEMPORARY_NAMES = 3;

const { EADDRINUSE, ENOENT } = constants.errno;

/**
 * bind(2) with a name, and listen(2) with a backlog. An unnamed address asks the kernel for an abstract one.
 * If this fails after bind(2) the file is gone again, but the socket cannot be bound once more: close it. Names in
 * `options` that are none of BindOptions are the caller's, who knows them.
 * @throws ERR_FDPASS_PERMISSION under Node's permission model; SystemError EADDRINUSE with `holders`, EACCES, ENOENT, EINVAL
 * if `fd` is bound already, EPERM for an
 * `owner` that this process may not give; RangeError for options that do not fit the address or each other
 */
export function bindUnix(socket: SocketToBind, address: UnixAddress, options: BindOptions): BoundName {
  validateObject('options', options);
  const access = readAccess(options);
  requireFit(socket, address, options);
  try {
    if (address.kind !== 'path') return bindWithoutFile(socket, address);
    const place = placeOf(address);
    const bind = options.replace ? bindAndRename : options.replaceStale ? bindOverStale : bindFresh;
    const file = bind(socket, place, access);
    return options.unlinkOnClose === false ? leave(address) : hold(place, file);
  } catch (error) {
    throw tell(error, address, socket.type);
  }
}

/**
 * Takes charge of the file that leads to a socket now. Not for a socket that was bound with `replace`: what the
 * kernel says is not its name.
 */
export function holdName(address: UnixAddress): BoundName {
  if (address.kind !== 'path') return leave(address);
  const place = placeOf(address);
  return hold(place, SocketFile.at(place.path));
}

/** A name whose file is somebody else's care, or that has none. */
export function leave(address: UnixAddress): BoundName {
  return { address, unlink() {} };
}

function hold({ address, path }: Place, file: SocketFile | undefined): BoundName {
  return {
    address,
    unlink() {
      if (file === undefined || !file.isThere()) return;
      try {
        removeInTurn(path, file);
      } catch (cause) {
        process.emitWarning(
          new FdpassError('ERR_FDPASS_UNLINK', `${address} could not be removed`, { cause }),
        );
      }
    },
  };
}

function readAccess({ mode, owner }: BindOptions): Access {
  if (mode !== undefined) validateInteger('options.mode', mode, 0, 0o777);
  if (owner === undefined) return { mode, owner };
  validateOptions('options.owner', owner, OWNER);
  // The highest number is -1 of chown(2): "as it is".
  const uid = owner.uid === undefined ? -1 : validateInteger('options.owner.uid', owner.uid, 0, 2 ** 32 - 2);
  const gid = owner.gid === undefined ? -1 : validateInteger('options.owner.gid', owner.gid, 0, 2 ** 32 - 2);
  return { mode, owner: uid === -1 && gid === -1 ? undefined : { uid, gid } };
}

/** What is asked for and cannot be given is refused, not forgotten. */
function requireFit({ backlog }: SocketToBind, address: UnixAddress, options: BindOptions): void {
  const { owner, replace } = options;
  if (address.kind !== 'path' && owner !== undefined) {
    throw outOfRange('options.owner', `left out for ${address}: a name without a file has no owner`, owner);
  }
  if (!replace) return;
  if (address.kind !== 'path') {
    throw outOfRange('options.replace', `left out for ${address}: only a path can be taken over`, replace);
  }
  if (backlog === undefined) {
    throw outOfRange(
      'options.replace',
      'left out for a socket that does not listen (answers to its messages would go to a name that is gone); use replaceStale',
      replace,
    );
  }
}

function bindWithoutFile({ fd, backlog }: SocketToBind, address: UnixAddress): BoundName {
  binding.bind(fd, address.sunPath);
  if (backlog !== undefined) binding.listen(fd, backlog);
  return leave(UnixAddress.fromSunPath(binding.localUnixAddress(fd)));
}

function bindFresh(socket: SocketToBind, place: Place, access: Access): SocketFile {
  return create(socket, place, access, (file) => removeInTurn(place.path, file));
}

// Between bind and listen a live name looks like a leftover: the lock covers both, here and in every
// other process that would replace one.
function bindOverStale(socket: SocketToBind, place: Place, access: Access): SocketFile {
  using _lock = lockPlace(place, STALE_WAIT_MS);
  if (isLeftover(place.address, socket.type)) unlinkSync(place.path);
  return create(socket, place, access, (file) => file.remove());
}

// The lock keeps the rename out of the time in which another process finds a leftover and removes it, or finds
// that the file is its own and removes it.
function bindAndRename(socket: SocketToBind, place: Place, access: Access): SocketFile {
  using _lock = lockPlace(place, REPLACE_WAIT_MS);
  const status = lstatSync(place.path, { throwIfNoEntry: false });
  if (status !== undefined && !status.isSocket()) throw systemError(-EADDRINUSE, 'bind');
  const file = createBeside(socket, place, access);
  try {
    file.rename(place.path);
  } catch (error) {
    file.remove();
    throw error;
  }
  return file;
}

function createBeside(socket: SocketToBind, place: Place, access: Access): SocketFile {
  for (let attempt = 1; ; attempt++) {
    try {
      return create(socket, temporaryPlace(place), access, (file) => file.remove());
    } catch (error) {
      if (attempt === TEMPORARY_NAMES || !hasCode(error, 'EADDRINUSE')) throw error;
    }
  }
}

/** bind(2), then the owner and the mode, then listen(2): nobody can connect before the file is as it is to be. */
function create(
  { fd, backlog }: SocketToBind,
  { address, path }: Place,
  access: Access,
  remove: (file: SocketFile) => void,
): SocketFile {
  requirePermission(path);
  narrow(fd, access, backlog !== undefined);
  binding.bind(fd, address.sunPath);
  const file = SocketFile.at(path);
  if (file === undefined) throw systemError(-ENOENT, 'bind'); // removed by somebody at once
  try {
    file.setAccess(access);
    if (backlog !== undefined) binding.listen(fd, backlog);
  } catch (error) {
    try {
      remove(file);
    } catch {
      // It stays: a directory that another has locked or that nobody may write to any more. The first error says more.
    }
    throw error;
  }
  return file;
}

// The file is created with the mode of the socket's own inode (unix_bind_bsd() in net/unix/af_unix.c). Said also
// where no mode is asked for: an earlier bind() that failed may have asked for one.
function narrow(fd: number, access: Access, listens: boolean): void {
  try {
    binding.setMode(fd, birthMode(access));
  } catch (error) {
    // Another user made the socket: one from before setuid(2), or from another process. Then nothing was narrowed
    // before, and what is to listen is reached by nobody until it does.
    if (!hasCode(error, 'EPERM') || (asksForAccess(access) && !listens)) throw error;
  }
}

/** Between another process's look at the file and what it does then, ours must not be removed: it could be the other's. */
function removeInTurn(path: Buffer, file: SocketFile): void {
  using lock = PathLock.take(path, UNLINK_WAIT_MS);
  if (lock === undefined) {
    throw new FdpassError(
      'ERR_FDPASS_LOCKED',
      `another process has locked ${printable(PathLock.pathFor(path))}; a later bind with replaceStale removes it`,
    );
  }
  file.remove();
}

/** Failures of the addon and of node:fs in one shape, with the address that was asked for. */
function tell(error: unknown, address: UnixAddress, type: number): unknown {
  const { errno, syscall, address: told } = error as Partial<SystemError>;
  if (errno === undefined || syscall === undefined || told !== undefined) return error;
  const named = systemError(errno, syscall, address.toString());
  return errno === -EADDRINUSE ? explainInUse(named, address, type) : named;
}
