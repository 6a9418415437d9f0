// SharedMemory: memory that received bytes lie in one behind the other. A Buffer of its own for each costs more.
import { markAsUntransferable } from 'node:worker_threads';

/**
 * What subarray() of a Buffer makes its views with: half the time, a thirtieth of a whole message's. ECMA-262,
 * TypedArraySpeciesCreate
 */
const View = (Buffer as unknown as BufferSpecies)[Symbol.species];
interface BufferSpecies {
  readonly [Symbol.species]: new (memory: ArrayBufferLike, offset: number, length: number) => Buffer;
}

/**
 * Owns one piece at a time. A piece lives as long as a view of it; one that is `reused` is emptied whatever views of it there
 * are. Its memory cannot be transferred to another thread, as
 * that of Node's own small Buffers: whoever has one message would take the others away.
 */
export class SharedMemory {
  readonly #bytes: number;
  readonly #reused: boolean;
  #piece = Buffer.alloc(0);
  #memory: ArrayBufferLike = this.#piece.buffer;
  #used = 0;

  constructor(bytes: number, { reused }: { reused: boolean }) {
    this.#bytes = bytes;
    this.#reused = reused;
  }

  get piece(): Buffer {
    return this.#piece;
  }

  /** Where the free bytes of the piece begin. */
  get used(): number {
    return this.#used;
  }

  /** There are so many free bytes then: in a new piece, if need be. */
  require(bytes: number): void {
    if (this.#reused) this.#used = 0;
    if (this.#piece.length - this.#used >= bytes) return;
    this.#piece = Buffer.allocUnsafeSlow(Math.max(bytes, this.#bytes));
    this.#memory = this.#piece.buffer;
    markAsUntransferable(this.#memory);
    this.#used = 0;
  }

  /** A view of what was written at `offset`, which with all before it is free no longer. */
  take(offset: number, size: number): Buffer {
    this.#used = (offset + size + 7) & ~7;
    return new View(this.#memory, offset, size);
  }

  /** A view of a copy. */
  add(source: Buffer, offset: number, size: number): Buffer {
    this.require(size);
    source.copy(this.#piece, this.#used, offset, offset + size);
    return this.take(this.#used, size);
  }
}

/** In memory that nobody shares: not in Node's pool either. */
export function copyOf(memory: Buffer, offset: number, size: number): Buffer {
  const copy = Buffer.allocUnsafeSlow(size);
  memory.copy(copy, 0, offset, offset + size);
  return copy;
}
