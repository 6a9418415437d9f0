// Which processes have a socket open. /proc/PID/fd, proc_pid_fd(5)
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { hasCode, type SocketHolder } from '../base/errors';
import { printable } from '../fd/address';

/** Characters of a command line that tell one process from another. */
const MAX_COMMAND = 160;

/**
 * Looks through the processes that this user may look at: its own, and root all.
 * @param options.maxDescriptors gives up after so many, with what has been found
 * @returns by inode, and by process id within; an inode without holders has none that can be seen
 */
export function findHolders(
  inodes: Iterable<bigint>,
  options: { maxDescriptors?: number } = {},
): Map<bigint, SocketHolder[]> {
  const found = new Map<bigint, SocketHolder[]>();
  const wanted = new Map<string, SocketHolder[]>();
  for (const inode of inodes) {
    if (inode === 0n) continue; // no descriptor leads to it
    const holders = wanted.get(`socket:[${inode}]`) ?? [];
    wanted.set(`socket:[${inode}]`, holders);
    found.set(inode, holders);
  }
  if (wanted.size === 0) return found;
  let left = options.maxDescriptors ?? Number.POSITIVE_INFINITY;
  for (const pid of processes()) {
    left -= addHolder(pid, wanted);
    if (left <= 0) break;
  }
  return found;
}

function processes(): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter(Number.isInteger)
    .sort((a, b) => a - b);
}

/** @returns how many descriptors were looked at */
function addHolder(pid: number, wanted: ReadonlyMap<string, SocketHolder[]>): number {
  const numbers = ifThere(() => readdirSync(`/proc/${pid}/fd`)) ?? [];
  const targets = new Set(numbers.map((number) => ifThere(() => readlinkSync(`/proc/${pid}/fd/${number}`))));
  let holder: SocketHolder | undefined;
  for (const target of targets) {
    const holders = target === undefined ? undefined : wanted.get(target);
    if (holders === undefined) continue;
    holder ??= ifThere(() => describeProcess(pid));
    if (holder !== undefined) holders.push(holder);
  }
  return numbers.length;
}

function describeProcess(pid: number): SocketHolder {
  const uid = /^Uid:\s+\d+\s+(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1];
  return { pid, command: readCommand(pid), uid: Number(uid) };
}

function readCommand(pid: number): string {
  const argv = readFileSync(`/proc/${pid}/cmdline`);
  // Arguments end with a NUL; some programs overwrite them with one text and fill up with NULs.
  let end = argv.length;
  while (end > 0 && argv[end - 1] === 0) end--;
  if (end === 0) return `[${printable(readFileSync(`/proc/${pid}/comm`)).replace(/\\x0a$/, '')}]`;
  const line = argv.subarray(0, end).map((byte) => (byte === 0 ? 0x20 : byte));
  return cut(printable(Buffer.from(line)));
}

function cut(text: string): string {
  const characters = Array.from(text);
  return characters.length <= MAX_COMMAND ? text : `${characters.slice(0, MAX_COMMAND - 1).join('')}…`;
}

/** Processes end while they are read, and those of others may not be read at all. */
function ifThere<T>(read: () => T): T | undefined {
  try {
    return read();
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ESRCH', 'EACCES', 'EPERM')) return undefined;
    throw error;
  }
}
