// Where the bytes of a stream socket go: into its own buffer, or into the buffer of whoever gave `onread`.
import type { OnReadOpts } from 'node:net';
import type { Readable } from 'node:stream';
import { types } from 'node:util';
import { FdpassError, invalidArgType, outOfRange } from '../base/errors';
import { validateObject } from '../base/validate';
import { copyOf } from './shared-memory';

/** As much as libuv reads at once. */
const PIECE_BYTES = 64 * 1024;

/**
 * Smaller parts share memory with what else is in Node's pool. That grew from 8 to 64 KiB (Node 24), and takes buffers of half
 * its size: a byte that waits would keep 64 KiB for every 20 that have passed.
 */
const POOLED_BYTES = 4096;

const NOTHING = Buffer.alloc(0);

export interface Landing {
  /** The next read goes there. @throws what ends the stream */
  room(): Uint8Array;
  /** What was read there, so many bytes. */
  take(size: number): Buffer;
  /** Gives what was read last to whoever reads: take() gave `data`. @returns whether there is room for more */
  show(data: Buffer, size: number): boolean;
  /** Whoever reads has it when show() returns: nothing waits in the stream. */
  readonly direct: boolean;
}

/** Buffers of the receiver's own, by way of the stream's buffer. */
export class OwnLanding implements Landing {
  /** Of all streams of the thread: the bytes of one read leave it at once, or take it with them. */
  static #piece = Buffer.alloc(0);
  readonly direct = false;
  readonly #stream: Readable;

  constructor(stream: Readable) {
    this.#stream = stream;
  }

  room(): Uint8Array {
    if (OwnLanding.#piece.length === 0) OwnLanding.#piece = Buffer.allocUnsafeSlow(PIECE_BYTES);
    return OwnLanding.#piece;
  }

  /** Copies a small part: what waits in a stream's buffer takes at most twice its size, as highWaterMark promises. */
  take(size: number): Buffer {
    const data = OwnLanding.#piece.subarray(0, size);
    if (size <= POOLED_BYTES) return Buffer.from(data);
    if (size <= PIECE_BYTES / 2) return copyOf(OwnLanding.#piece, 0, size);
    OwnLanding.#piece = Buffer.alloc(0);
    return data;
  }

  show(data: Buffer): boolean {
    return this.#stream.push(data);
  }
}

/** One buffer over and over, or what its maker gives next. As `onread` of net.Socket. */
export class OnReadLanding implements Landing {
  readonly direct = true;
  readonly #stream: Readable;
  readonly #options: OnReadOpts;
  #buffer: Uint8Array;
  /** The callback has seen it: the next read goes to another, if there is who makes one. */
  #seen = false;

  /** @throws TypeError, RangeError for a buffer without a byte */
  constructor(stream: Readable, options: OnReadOpts) {
    validateObject('options.onread', options);
    const { callback } = options;
    if (typeof callback !== 'function')
      throw invalidArgType('options.onread.callback', 'a function', callback);
    this.#stream = stream;
    this.#options = options;
    this.#buffer = this.#nextBuffer();
    if (this.#buffer.length === 0) {
      throw outOfRange('options.onread.buffer', 'at least one byte long', this.#buffer);
    }
  }

  room(): Uint8Array {
    if (this.#seen) this.#buffer = this.#nextBuffer();
    this.#seen = false;
    if (this.#buffer.length > 0) return this.#buffer;
    const text =
      'the buffer of onread has no byte: it was transferred to another thread, or made so; give another';
    throw new FdpassError('ERR_FDPASS_DETACHED', text);
  }

  /** Nothing: the callback gets the buffer itself. */
  take(): Buffer {
    return NOTHING;
  }

  show(_data: Buffer, size: number): boolean {
    this.#seen = true;
    return this.#options.callback.call(this.#stream, size, this.#buffer) !== false;
  }

  #nextBuffer(): Uint8Array {
    const { buffer } = this.#options;
    const next = typeof buffer === 'function' ? buffer() : buffer;
    if (!types.isUint8Array(next))
      throw invalidArgType('options.onread.buffer', 'a Uint8Array, or a function that gives one', next);
    return next;
  }
}
