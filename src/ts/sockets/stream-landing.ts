// Where the bytes of a stream socket go: into its own buffer, or into the buffer of whoever gave `onread`.
import type { OnReadOpts } from 'node:net';
import type { Readable } from 'node:stream';
import { types } from 'node:util';
import { FdpassError, invalidArgType, outOfRange } from '../base/errors';
import { validateObject } from '../base/validate';
import type { ReadTarget } from './inbox';
import { SharedMemory } from './shared-memory';

/** As much as libuv reads at once. */
const PIECE_BYTES = 64 * 1024;
/** With less room than this a read begins a new piece. */
const LEAST_ROOM = 4 * 1024;

export interface Landing extends ReadTarget {
  /** Gives what take() gave to whoever reads. @returns whether there is room for more */
  show(data: Buffer): boolean;
  /** Whoever reads has it when show() returns: nothing waits in the stream. */
  readonly direct: boolean;
}

/** Buffers of the receiver's own, by way of the stream's buffer. */
export class OwnLanding implements Landing {
  static readonly #memory = new SharedMemory(PIECE_BYTES);
  readonly direct = false;
  readonly #stream: Readable;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  room(): { memory: Uint8Array; offset: number } {
    const memory = OwnLanding.#memory;
    memory.require(LEAST_ROOM);
    return { memory: memory.piece, offset: memory.used };
  }

  take(size: number): Buffer {
    const memory = OwnLanding.#memory;
    return memory.take(memory.used, size);
  }

  show(data: Buffer): boolean {
    return this.#stream.push(data);
  }
}

/** One buffer over and over, or what its maker gives next. As `onread` of net.Socket. */
export class OnReadLanding implements Landing {
  readonly direct = true;
  readonly #options: OnReadOpts;
  #buffer: Uint8Array;
  /** The callback has seen it: the next read goes to another, if there is who makes one. */
  #seen = false;

  /** @throws TypeError, RangeError for a buffer without a byte */
  constructor(options: OnReadOpts) {
    validateObject('options.onread', options);
    const { callback } = options;
    if (typeof callback !== 'function')
      throw invalidArgType('options.onread.callback', 'a function', callback);
    this.#options = options;
    this.#buffer = this.#nextBuffer();
    if (this.#buffer.length === 0) {
      throw outOfRange('options.onread.buffer', 'at least one byte long', this.#buffer);
    }
  }

  room(): { memory: Uint8Array; offset: number } {
    if (this.#seen) this.#buffer = this.#nextBuffer();
    this.#seen = false;
    if (this.#buffer.length > 0) return { memory: this.#buffer, offset: 0 };
    const text =
      'the buffer of onread has no byte: it was transferred to another thread, or made so; give another';
    throw new FdpassError('ERR_FDPASS_DETACHED', text);
  }

  take(size: number): Buffer {
    return Buffer.from(this.#buffer.buffer, this.#buffer.byteOffset, size);
  }

  show(data: Buffer): boolean {
    this.#seen = true;
    return this.#options.callback.call(undefined, data.length, this.#buffer) !== false;
  }

  #nextBuffer(): Uint8Array {
    const { buffer } = this.#options;
    const next = typeof buffer === 'function' ? buffer() : buffer;
    if (!types.isUint8Array(next))
      throw invalidArgType('options.onread.buffer', 'a Uint8Array, or a function that gives one', next);
    return next;
  }
}
