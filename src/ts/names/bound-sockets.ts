// The AF_UNIX sockets that have a name, as the kernel lists them. /proc/net/unix, proc_net(5)
import { readFileSync } from 'node:fs';
import { UnixAddress } from '../fd/address';
import { SOCKET_TYPES, type SocketType } from '../fd/describe';

export type SocketState = 'listening' | 'connected' | 'unconnected';

export interface BoundSocket {
  address: UnixAddress;
  type: SocketType;
  state: SocketState;
  /** 0n: a connection that waits to be accepted. */
  inode: bigint;
}

/** __SO_ACCEPTCON, include/linux/net.h. */
const LISTENING = 0x10000;
/** SS_UNCONNECTED, include/uapi/linux/net.h. Those above are on their way to, or have, a peer. */
const UNCONNECTED = 1;

// "Num: RefCount Protocol Flags Type St Inode Path", unix_seq_show() in net/unix/af_unix.c. Num is a pointer, or
// what stands for one.
const RECORD =
  /^[^ :]+: [0-9A-F]{8} [0-9A-F]{8} ([0-9A-F]{8}) ([0-9A-F]{4}) ([0-9A-F]{2}) +(\d+)(?: ([\s\S]+))?$/;

/** @param address only those of this name */
export function boundSockets(address?: UnixAddress): BoundSocket[] {
  const text = readFileSync('/proc/net/unix', 'latin1'); // one character is one byte
  if (address === undefined) return parseBoundSockets(text);
  const name = asShown(address);
  if (!text.includes(` ${name}\n`)) return [];
  return parseBoundSockets(text).filter((socket) => asShown(socket.address) === name);
}

/**
 * A name may hold a newline; what follows it looks like a line of its own and is joined again. A name that was
 * chosen to look like a whole record after its newline cannot be told from one.
 */
export function parseBoundSockets(text: string): BoundSocket[] {
  const records: string[] = [];
  for (const line of text.replace(/\n$/, '').split('\n').slice(1)) {
    if (RECORD.test(line) || records.length === 0) records.push(line);
    else records.push(`${records.pop()}\n${line}`);
  }
  return records.map(parse).filter((socket) => socket !== undefined);
}

function parse(record: string): BoundSocket | undefined {
  const [, flags = '', type = '', state = '', inode = '', name] = RECORD.exec(record) ?? [];
  const known = SOCKET_TYPES[Number.parseInt(type, 16)];
  if (name === undefined || known === undefined) return undefined; // unnamed
  const listening = (Number.parseInt(flags, 16) & LISTENING) !== 0;
  const unconnected = Number.parseInt(state, 16) === UNCONNECTED;
  return {
    address: read(name),
    type: known,
    state: listening ? 'listening' : unconnected ? 'unconnected' : 'connected',
    inode: BigInt(inode),
  };
}

// A path that is relative and begins with '@' looks the same as an abstract name.
function read(shown: string): UnixAddress {
  return UnixAddress.fromSunPath(Buffer.from(shown.replace(/^@/, '\0'), 'latin1'));
}

/** The kernel prints the NULs of an abstract name as '@'. */
function asShown(address: UnixAddress): string {
  return address.sunPath.toString('latin1').replaceAll('\0', '@');
}
