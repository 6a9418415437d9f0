// UnixAddress: the three kinds of AF_UNIX address, exact to the byte. unix(7)
import { fileURLToPath } from 'node:url';
import { FdpassError, invalidArgType, outOfRange } from '../base/errors';
import { MAX_ADDRESS_BYTES } from '../base/limits';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';

/** '@name' and '\0name' are abstract; any other string, a file: URL or bytes are a path (bytes with a leading NUL: abstract). */
export type AddressLike = UnixAddress | string | Uint8Array | URL;

const ABSTRACT_OPTIONS: KnownNames<{ padded?: boolean }> = { padded: true };

/** One line of text: bytes that would garble a terminal or a log are printed as \xNN, and so are backslashes. */
export function printable(bytes: Buffer): string {
  const text = bytes.toString('utf8');
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  const clean = Buffer.from(text).equals(bytes) && !/[\u0000-\u001f\u007f-\u009f\\]/.test(text);
  if (clean) return text;
  return Array.from(bytes, (byte) =>
    byte >= 0x20 && byte < 0x7f && byte !== 0x5c
      ? String.fromCharCode(byte)
      : `\\x${byte.toString(16).padStart(2, '0')}`,
  ).join('');
}

/** An immutable address. Compares by kind and bytes. */
export class UnixAddress {
  readonly #sunPath: Buffer;

  private constructor(sunPath: Buffer) {
    this.#sunPath = sunPath;
  }

  /** Of a socket that was never bound. */
  static readonly unnamed: UnixAddress = new UnixAddress(Buffer.alloc(0));

  /**
   * A file. A leading '@' means nothing here.
   * @throws RangeError over 107 bytes (sun_path, unix(7)), empty, or with a NUL inside
   */
  static path(path: string | Uint8Array | URL): UnixAddress {
    const bytes = nameBytes('path', path instanceof URL ? fileURLToPath(path) : path);
    if (bytes.length === 0) throw outOfRange('path', 'at least one byte long', path);
    if (bytes.length > MAX_ADDRESS_BYTES) {
      throw outOfRange(
        'path',
        `at most ${MAX_ADDRESS_BYTES} bytes long, it has ${bytes.length} (bind in a shorter directory, or give a path relative to it)`,
        path,
      );
    }
    if (bytes.includes(0)) throw outOfRange('path', 'without a NUL byte', path);
    return new UnixAddress(bytes);
  }

  /**
   * A name that lives in the network namespace and vanishes with its last holder. Any bytes.
   * @param options.padded fills up to 107 bytes with NULs, as Node <= 20 and sizeof() callers bind
   * @throws RangeError over 107 bytes
   */
  static abstract(name: string | Uint8Array, options: { padded?: boolean } = NO_OPTIONS): UnixAddress {
    validateOptions('options', options, ABSTRACT_OPTIONS);
    const bytes = nameBytes('name', name);
    if (bytes.length > MAX_ADDRESS_BYTES) {
      throw outOfRange('name', `at most ${MAX_ADDRESS_BYTES} bytes long, it has ${bytes.length}`, name);
    }
    const sunPath = Buffer.alloc(1 + (options.padded ? MAX_ADDRESS_BYTES : bytes.length));
    sunPath.set(bytes, 1);
    return new UnixAddress(sunPath);
  }

  /** Reads whatever AddressLike allows. */
  static from(address: AddressLike): UnixAddress {
    if (address instanceof UnixAddress) return address.#usable();
    if (typeof address === 'string') {
      const abstract = address.startsWith('@') || address.startsWith('\0');
      return abstract ? UnixAddress.abstract(address.slice(1)) : UnixAddress.path(address);
    }
    if (address instanceof URL) return UnixAddress.path(address);
    if (address instanceof Uint8Array) {
      return address[0] === 0 ? UnixAddress.abstract(address.subarray(1)) : UnixAddress.path(address);
    }
    throw invalidArgType('address', "a UnixAddress, a path, '@name', bytes or a file: URL", address);
  }

  /** @internal What the kernel reported; may be a path of 108 bytes. Takes the memory over. */
  static fromSunPath(sunPath: Buffer): UnixAddress {
    return sunPath.length === 0 ? UnixAddress.unnamed : new UnixAddress(sunPath);
  }

  get kind(): 'path' | 'abstract' | 'unnamed' {
    if (this.#sunPath.length === 0) return 'unnamed';
    return this.#sunPath[0] === 0 ? 'abstract' : 'path';
  }

  /** A copy of the exact bytes, without the NUL that leads an abstract name. */
  get bytes(): Buffer {
    return Buffer.from(this.kind === 'abstract' ? this.#sunPath.subarray(1) : this.#sunPath);
  }

  /** @internal The image of sun_path that the addon takes. Not to be written to. */
  get sunPath(): Buffer {
    return this.#sunPath;
  }

  equals(other: AddressLike): boolean {
    const { sunPath } = other instanceof UnixAddress ? other : UnixAddress.from(other);
    return this.#sunPath.equals(sunPath);
  }

  /** '/run/a.sock', '@name' or '(unnamed)', with unprintable bytes escaped. For people, not for from(). */
  toString(): string {
    switch (this.kind) {
      case 'unnamed':
        return '(unnamed)';
      case 'abstract':
        return `@${printable(this.bytes)}`;
      case 'path':
        return printable(this.#sunPath);
    }
  }

  [Symbol.for('nodejs.util.inspect.custom')](): string {
    return `UnixAddress { ${this.toString()} }`;
  }

  // A peer may have bound all 108 bytes of sun_path. Such a path can be shown, but not be answered.
  #usable(): this {
    if (this.kind === 'path' && this.#sunPath.length > MAX_ADDRESS_BYTES) {
      throw outOfRange('address', `at most ${MAX_ADDRESS_BYTES} bytes long`, this);
    }
    return this;
  }
}

function nameBytes(name: string, value: string | Uint8Array): Buffer {
  if (typeof value === 'string') return Buffer.from(value);
  if (value instanceof Uint8Array) return Buffer.from(value);
  throw invalidArgType(name, 'a string or bytes', value);
}

/** The path of a file that a path address stands for, for node:fs. */
export function pathOf(address: UnixAddress): Buffer {
  if (address.kind !== 'path') throw new FdpassError('ERR_FDPASS_NOT_A_PATH', `${address} is not a file`);
  return address.bytes;
}
