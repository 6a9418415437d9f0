// Keys of sticky connections: what tells a client, found in the first bytes that it sends. Pure, and given whatever anybody sends.
import { invalidArgValue } from '../../base/errors';

/**
 * @param head the first bytes, valid during the call only; at most `maxBytes`
 * @returns the key; null if there is none, so that the address decides; undefined if more has to come first
 */
export type StickyKey = (head: Buffer) => string | null | undefined;

/** RFC 9110, 5.6.2: what a method and the name of a cookie are made of. */
const TOKEN = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const METHOD_AND_SPACE = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]* ?$/;
/** Of a method: longer than any that is registered. */
const METHOD_BYTES = 32;

/**
 * The value of that cookie in the first request of HTTP/1. Nothing is found of TLS, or of HTTP/2.
 * @throws ERR_INVALID_ARG_VALUE if that is no name of a cookie
 */
export function byCookie(name: string): StickyKey {
  if (typeof name !== 'string' || !TOKEN.test(name))
    throw invalidArgValue(`${JSON.stringify(name)} is no name of a cookie: give one without spaces and =`);
  return (head) => {
    const text = head.toString('latin1');
    if (!mayBeRequest(text)) return null;
    // The last piece is a line that has not ended yet.
    const lines = text.split('\n');
    for (let index = 1; index < lines.length - 1; index++) {
      const line = (lines[index] as string).trimEnd();
      if (line === '') return null; // the end of the head
      const value = cookieOf(line, name);
      if (value !== undefined) return value;
    }
    return undefined;
  };
}

function mayBeRequest(text: string): boolean {
  const start = text.slice(0, METHOD_BYTES);
  const space = start.indexOf(' ');
  if (space === 0 || (space === -1 && start.length === METHOD_BYTES)) return false;
  if (!METHOD_AND_SPACE.test(space === -1 ? start : start.slice(0, space + 1))) return false;
  const end = text.indexOf('\n');
  return end === -1 || /^\S+ \S+ HTTP\/1\.\d\r?$/.test(text.slice(0, end));
}

function cookieOf(line: string, name: string): string | undefined {
  const colon = line.indexOf(':');
  if (line.slice(0, colon).toLowerCase() !== 'cookie') return undefined;
  for (const pair of line.slice(colon + 1).split(';')) {
    const equals = pair.indexOf('=');
    if (equals !== -1 && pair.slice(0, equals).trim() === name) {
      const value = pair.slice(equals + 1).trim();
      if (value !== '') return value;
    }
  }
  return undefined;
}

/** The name of the server that the client of TLS wants, in small letters: server_name of RFC 6066, 3. */
export function byServerName(): StickyKey {
  return (head) => {
    const hello = handshakeOf(head);
    return hello instanceof Reader ? serverNameOf(hello) : hello;
  };
}

const HANDSHAKE = 22;
const CLIENT_HELLO = 1;
const SERVER_NAME = 0;
const HOST_NAME = 0;
/** Of one record without its 5 bytes. RFC 8446, 5.1 */
const MAX_RECORD_BYTES = 2 ** 14;

/** The body of a ClientHello, which may come in several records. RFC 8446, 4 and 5.1 */
function handshakeOf(head: Buffer): Reader | null | undefined {
  const pieces: Buffer[] = [];
  let at = 0;
  let have = 0;
  while (at < head.length) {
    if (head[at] !== HANDSHAKE || (head[at + 1] ?? 3) !== 3) return null;
    if (at + 5 > head.length) return undefined;
    const size = head.readUInt16BE(at + 3);
    if (size === 0 || size > MAX_RECORD_BYTES) return null;
    const piece = head.subarray(at + 5, at + 5 + size);
    pieces.push(piece);
    have += piece.length;
    at += 5 + size;
  }
  const bytes = pieces.length === 1 ? (pieces[0] as Buffer) : Buffer.concat(pieces, have);
  if (bytes.length > 0 && bytes[0] !== CLIENT_HELLO) return null;
  if (bytes.length < 4) return undefined;
  const end = 4 + bytes.readUIntBE(1, 3);
  return bytes.length < end ? undefined : new Reader(bytes.subarray(4, end));
}

function serverNameOf(hello: Reader): string | null {
  hello.skip(2 + 32); // version, random
  hello.vector(1); // session
  hello.vector(2); // cipher suites
  hello.vector(1); // compression
  const extensions = hello.vector(2);
  while (!extensions.empty) {
    const type = extensions.number(2);
    const extension = extensions.vector(2);
    if (type !== SERVER_NAME) continue;
    const names = extension.vector(2);
    while (!names.empty) {
      const kind = names.number(1);
      const name = names.vector(2);
      if (kind === HOST_NAME && !name.empty) return name.text().toLowerCase();
    }
    return null;
  }
  return null;
}

/** Reads what is there; behind the end everything is empty and 0. */
class Reader {
  readonly #bytes: Buffer;
  #at = 0;

  constructor(bytes: Buffer) {
    this.#bytes = bytes;
  }

  get empty(): boolean {
    return this.#at >= this.#bytes.length;
  }

  skip(size: number): void {
    this.#at += size;
  }

  number(size: 1 | 2): number {
    const at = this.#at;
    this.#at += size;
    return this.#at > this.#bytes.length ? 0 : this.#bytes.readUIntBE(at, size);
  }

  /** What a length of so many bytes stands before. */
  vector(lengthSize: 1 | 2): Reader {
    const size = this.number(lengthSize);
    const at = this.#at;
    this.#at += size;
    return new Reader(this.#bytes.subarray(at, at + size));
  }

  text(): string {
    return this.#bytes.toString('latin1');
  }
}
