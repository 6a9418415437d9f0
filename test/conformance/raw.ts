// RawSocket as the rows want it: opened for a row, connected, and read without leaving a descriptor behind.
import path from 'node:path';
import type { AddressLike } from 'fdpass';
import { MSG, type RawMessage, type RawReceiveOptions, RawSocket, SO, SOL_SOCKET } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { tmpDir } from '../helpers/tmp-dir';
import { codeOf } from './outcome';
import type { Row } from './row';

export type Type = 'stream' | 'dgram' | 'seqpacket';
export const types = ['stream', 'dgram', 'seqpacket'] as const;
export const packetTypes = ['dgram', 'seqpacket'] as const;
export const connectionTypes = ['stream', 'seqpacket'] as const;

const SOCK_STREAM = 1; // of include/linux/net.h

/** CMSG_LEN(n) and CMSG_SPACE(n) of <sys/socket.h>, 64 bit. */
export const cmsgLength = (bytes: number): number => 16 + bytes;
export const cmsgSpace = (bytes: number): number => 16 + Math.ceil(bytes / 8) * 8;

/** Room for every descriptor that a message can have. */
export const ALL_FDS = cmsgSpace(253 * 4);
/** And for credentials: struct ucred has 12 bytes. */
export const ALL_CONTROL = ALL_FDS + cmsgSpace(12);

/** One control message; `length` is what its header claims. cmsg(3) */
export function cmsg(
  level: number,
  type: number,
  data: Uint8Array,
  length = cmsgLength(data.length),
): Buffer {
  const bytes = Buffer.alloc(cmsgSpace(data.length));
  bytes.writeBigUInt64LE(BigInt(length), 0);
  bytes.writeInt32LE(level, 8);
  bytes.writeInt32LE(type, 12);
  bytes.set(data, 16);
  return bytes;
}

/** ints(3, 4): the payload of an SCM.RIGHTS message. */
export function ints(...values: number[]): Buffer {
  return Buffer.from(Int32Array.from(values).buffer);
}

export function freshPath(t: Row): string {
  return path.join(tmpDir(t), 's');
}

/** A path and an abstract name, neither of which is used. */
export function freshAddresses(t: Row): string[] {
  return [freshPath(t), `@${freshName()}`];
}

export function rawOpen(t: Row, type: Type): RawSocket {
  return t.keep(RawSocket.open(type));
}

export function rawPair(t: Row, type: Type): [RawSocket, RawSocket] {
  const [left, right] = RawSocket.pair(type);
  return [t.keep(left), t.keep(right)];
}

export function rawBound(t: Row, type: Type, address: AddressLike = `@${freshName()}`): RawSocket {
  return rawOpen(t, type).bind(address);
}

export function rawListener(t: Row, type: Type, address?: AddressLike, backlog = 16): RawSocket {
  return rawBound(t, type, address).listen(backlog);
}

export function rawClient(t: Row, listener: RawSocket): RawSocket {
  const type = listener.getOption(SOL_SOCKET, SO.TYPE) === SOCK_STREAM ? 'stream' : 'seqpacket';
  return rawOpen(t, type).connect(listener.address());
}

export interface Connection {
  listener: RawSocket;
  client: RawSocket;
  server: RawSocket;
}

export function rawConnection(t: Row, type: Type = 'stream', address?: AddressLike): Connection {
  const listener = rawListener(t, type, address);
  const client = rawClient(t, listener);
  return { listener, client, server: t.keep(listener.accept()) };
}

/** receive() with room for everything; what it brings is closed when the row ends. */
export function take(t: Row, socket: RawSocket, options: RawReceiveOptions = {}): RawMessage {
  const message = socket.receive({ controlBytes: ALL_CONTROL, ...options });
  for (const fd of message.fds) t.keep(fd);
  if (message.pidFd !== undefined) t.keep(message.pidFd);
  return message;
}

/** The text of the next message, or of what a stream holds; '' at its end. */
export function textOf(socket: RawSocket, size = 65536): string {
  return socket.receive({ buffers: size }).data.toString('latin1');
}

/** 'EAGAIN' where nothing is to be received. */
export function receiveCode(socket: RawSocket): string {
  return codeOf(() => socket.receive());
}

/** Sends until it is full. @returns how many messages it took */
export function fill(socket: RawSocket, data: string | Uint8Array, to?: AddressLike): number {
  for (let count = 0; ; count++) {
    const failed = codeOf(() => socket.send(data, to === undefined ? {} : { to }));
    if (failed === 'EAGAIN') return count;
    if (failed !== 'success') throw new Error(`the socket was to be filled: ${failed}`);
  }
}

/** The names of the bits that are set, in order of their value. */
export function names(bits: number, of: Record<string, number>): string[] {
  return Object.keys(of)
    .filter((name) => (bits & (of[name] as number)) !== 0)
    .sort((a, b) => (of[a] as number) - (of[b] as number));
}

export const flagNames = (flags: number): string[] => names(flags, MSG);
