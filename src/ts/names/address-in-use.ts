// What is at an address or a port that is taken: a live socket and who holds it, a leftover, or another kind of file.
import { lstatSync, readFileSync, type Stats } from 'node:fs';
import { hasCode, type SocketHolder, type SystemError } from '../base/errors';
import { pathOf, type UnixAddress } from '../fd/address';
import { SOCKET_TYPES } from '../fd/describe';
import { binding } from '../native/binding';
import { type BoundSocket, boundSockets } from './bound-sockets';
import { findHolders } from './holders';
import { type InetName, socketsAt } from './inet-sockets';

/**
 * Of all processes: a program that tries a taken name again and again shall not be busy with explanations. 100 to
 * 200 ms (5 to 10 us for each readlink(2), measured with Node 20).
 */
const MAX_DESCRIPTORS = 20_000;

/** True if the file is a socket that nobody serves. connect(2) says ECONNREFUSED for it. */
export function isLeftover(address: UnixAddress, type: number): boolean {
  if (lstatSync(pathOf(address), { throwIfNoEntry: false })?.isSocket() !== true) return false;
  const socket = binding.openSocket(type);
  try {
    binding.connect(socket, address.sunPath);
    return false;
  } catch (error) {
    // Anything else (EAGAIN, EACCES, EPROTOTYPE) comes from a live socket or tells nothing.
    return hasCode(error, 'ECONNREFUSED');
  } finally {
    binding.closeFd(socket);
  }
}

/** Adds to an EADDRINUSE what there is, and `holders`. */
export function explainInUse(error: SystemError, address: UnixAddress, type: number): SystemError {
  return explain(error, () =>
    address.kind === 'path' ? explainPath(address, type) : explainName(address, type),
  );
}

/** Adds who has the port, and `holders`, to an EADDRINUSE; to an EACCES whose the port is. */
export function explainPort(error: SystemError, name: InetName): SystemError {
  if (hasCode(error, 'EACCES')) return explain(error, () => explainForbidden(name.port));
  if (!hasCode(error, 'EADDRINUSE')) return error;
  // "This process" would be another one where the text is read: a primary binds for its workers.
  return explain(error, () => heldBy(socketsAt(name), { absolute: true }));
}

/** An explanation that cannot be found costs nothing but itself. */
function explain(error: SystemError, find: () => Explanation): SystemError {
  try {
    const { text, holders } = find();
    if (text !== undefined) error.message += ` (${text})`;
    if (holders !== undefined && holders.length > 0) error.holders = holders;
  } catch {
    // No /proc, or no descriptor left to read it with.
  }
  return error;
}

interface Explanation {
  text?: string;
  holders?: readonly SocketHolder[];
}

function explainPath(address: UnixAddress, type: number): Explanation {
  const status = lstatSync(pathOf(address), { throwIfNoEntry: false });
  if (status === undefined) return {}; // gone meanwhile
  if (!status.isSocket()) return { text: `it is ${kindOf(status)}` };
  const served = boundSockets(address).filter(isBinder);
  if (served.length > 0) return heldBy(served.map(({ inode }) => inode));
  // Asked last: a live server sees the connection. It was bound under another spelling of the path.
  return isLeftover(address, type)
    ? { text: 'a leftover that no process serves; replaceStale: true replaces it' }
    : {};
}

/** Of ip(7). */
const FIRST_FREE = '/proc/sys/net/ipv4/ip_unprivileged_port_start';

function explainForbidden(port: number): Explanation {
  const first = Number(readFileSync(FIRST_FREE, 'latin1'));
  if (port >= first) return {};
  const help = 'give it to the program (setcap, or AmbientCapabilities of systemd), or take another port';
  return { text: `ports below ${first} are for root and for CAP_NET_BIND_SERVICE: ${help}` };
}

/** Abstract names of different types do not meet. */
function explainName(address: UnixAddress, type: number): Explanation {
  const same = boundSockets(address).filter((socket) => socket.type === SOCKET_TYPES[type]);
  const binders = same.filter(isBinder);
  return heldBy((binders.length > 0 ? binders : same).map(({ inode }) => inode));
}

/** A connection that was accepted has its listener's name, but keeps it from nobody. */
function isBinder({ state, type }: BoundSocket): boolean {
  return state !== 'connected' || type === 'dgram';
}

function heldBy(inodes: readonly bigint[], { absolute = false } = {}): Explanation {
  if (inodes.length === 0) return {};
  const holders = [...findHolders(inodes, { maxDescriptors: MAX_DESCRIPTORS }).values()].flat();
  const [first, ...others] = holders;
  if (first === undefined)
    return { text: "held by a process that was not found; only root sees other users' processes" };
  const who =
    first.pid === process.pid && !absolute
      ? `this process, pid ${first.pid}`
      : `pid ${first.pid}: ${first.command}`;
  const more = others.length === 0 ? '' : `, and ${others.length} more`;
  return { text: `held by ${who}${more}`, holders };
}

function kindOf(status: Stats): string {
  if (status.isFile()) return 'a regular file';
  if (status.isDirectory()) return 'a directory';
  if (status.isSymbolicLink()) return 'a symbolic link';
  if (status.isFIFO()) return 'a FIFO';
  return 'a device';
}
