// StreamWriter: bytes on their way out of a stream socket, and what goes with them.
import { AsyncResource } from 'node:async_hooks';
import { constants } from 'node:os';
import { hasCode } from '../base/errors';
import { binding } from '../native/binding';
import { NOTHING } from './attachment';
import { detachedError, sendBytes, sendError } from './outbox';
import type { Parcel } from './parcel';
import { Patience } from './patience';

const { EAGAIN } = constants.errno;

/** Nothing can follow on this connection. Any other error concerns the descriptors or credentials of one parcel. */
const FATAL = ['EPIPE', 'ECONNRESET', 'ENOTCONN'];

/** System calls in one turn of the loop: a peer that reads as fast as we write must not keep the others waiting. */
const CALLS_PER_TURN = 16;

/** IOV_MAX of limits.h: buffers in one sendmsg(2). */
const MAX_BUFFERS = 1024;

/** What one sendmsg(2) takes: a parcel, or bytes without one. */
interface Part {
  buffers: Uint8Array[];
  /** Bytes in them, as long as nobody transfers one to another thread: that leaves an empty array behind. */
  size: number;
  parcel: Parcel | undefined;
}

export interface WriterSocket {
  readonly fd: number;
  wantWritable(want: boolean): void;
  /** As Readiness. */
  nextTurn(callback: () => void): void;
  /** Takes in what the peer has sent. */
  receive(): void;
  /** So many bytes are the kernel's now. */
  onSent(bytes: number): void;
}

/** Takes one write at a time, as a Writable gives them. */
export class StreamWriter {
  readonly #socket: WriterSocket;
  readonly #parcels = new WeakMap<Uint8Array, Parcel>();
  #parts: Part[] = [];
  #done: ((error?: Error) => void) | undefined;
  #open: boolean;
  readonly #patience = new Patience();
  /** Bytes went since #patience was asked. */
  #progressed = false;
  /** #goOn() comes with the next turn of the loop. */
  #triesAgain = false;
  /** In the context of whoever made the stream, as what poll(2) leads to, not of the write that found no room. */
  readonly #context = new AsyncResource('FDPASSWRITER', { requireManualDestroy: true });

  /** @param open false: nothing is sent before open() */
  constructor(socket: WriterSocket, open: boolean) {
    this.#socket = socket;
    this.#open = open;
  }

  /** When these very bytes come along in write(), they are a parcel. */
  attach(bytes: Uint8Array, parcel: Parcel): void {
    this.#parcels.set(bytes, parcel);
  }

  /** `done` is called once: when all of it went, at an error, or by close(). */
  write(chunks: readonly Uint8Array[], done: (error?: Error) => void): void {
    this.#done = done;
    this.#parts = this.#split(chunks);
    this.flush();
  }

  open(): void {
    this.#open = true;
    this.flush();
  }

  /** Sends what there is room for. */
  flush(): void {
    if (!this.#open || this.#done === undefined) return;
    let failure: Error | undefined;
    try {
      if (!this.#sendParts()) {
        this.#socket.wantWritable(true);
        return;
      }
    } catch (error) {
      failure = error as Error;
    }
    this.#finish(failure);
  }

  /** The parcel is not sent if it still waits, and holds up nobody. */
  drop(parcel: Parcel, failure: Error): void {
    parcel.drop(failure);
    this.flush();
  }

  /** What waits fails. */
  close(makeError: () => Error): void {
    this.#open = false;
    if (this.#done === undefined) return;
    const error = makeError();
    for (const { parcel } of this.#parts) parcel?.drop(error);
    this.#finish(error);
  }

  #split(chunks: readonly Uint8Array[]): Part[] {
    const parts: Part[] = [];
    for (const chunk of chunks) {
      const parcel = this.#parcels.get(chunk);
      const last = parts.at(-1);
      const joins = parcel === undefined && last !== undefined && last.parcel === undefined;
      if (joins && last.buffers.length < MAX_BUFFERS) {
        last.buffers.push(chunk);
        last.size += chunk.length;
      } else {
        parts.push({ buffers: [chunk], size: chunk.length, parcel });
      }
    }
    return parts;
  }

  /** @returns whether all of them went. @throws what ends the connection */
  #sendParts(): boolean {
    for (let calls = 0; calls < CALLS_PER_TURN; calls++) {
      while (this.#parts[0]?.parcel?.state === 'dropped') this.#parts.shift();
      const part = this.#parts[0];
      if (part === undefined) return true;
      if (!this.#send(part)) return false;
    }
    this.#trySoon(true);
    return false;
  }

  /** A parcel of which no byte went fails alone: the stream is as if it had never been. @returns whether to go on */
  #send(part: Part): boolean {
    const { parcel } = part;
    try {
      const sent = this.#attempt(part);
      if (sent === -EAGAIN) {
        this.#trySoon(this.#patience.triesAgain(this.#progressed));
        this.#progressed = false;
        return false;
      }
      if (sent < 0) throw sendError(sent, parcel?.attachment ?? NOTHING);
      parcel?.begin();
      this.#advance(part, sent);
    } catch (error) {
      if (parcel?.state !== 'waiting' || hasCode(error, ...FATAL)) throw error;
      parcel.drop(error as Error);
    }
    return true;
  }

  /**
   * For poll(2) there is room when three quarters of the send buffer are free (unix_writable() of net/unix/af_unix.c), for
   * sendmsg(2) when anything is. A sender that sleeps until then finds a peer that has nothing left to read, and sleeps, too.
   */
  #trySoon(does: boolean): void {
    if (!does || this.#triesAgain) return;
    this.#triesAgain = true;
    this.#socket.nextTurn(() => this.#context.runInAsyncScope(() => this.#goOn()));
  }

  #goOn(): void {
    this.#triesAgain = false;
    if (!this.#open || this.#done === undefined) return;
    let sentAll: boolean;
    try {
      sentAll = this.#sendParts();
    } catch {
      // As where poll(2) tells of both: what the peer has sent before it left is read first.
      this.#socket.receive();
      this.flush();
      return;
    }
    if (sentAll) this.#finish();
  }

  #attempt({ buffers, size, parcel }: Part): number {
    if (totalLength(buffers) !== size) throw detachedError();
    const lent = parcel?.attachment ?? NOTHING;
    const { fd } = this.#socket;
    const [first] = buffers;
    return buffers.length === 1 && first !== undefined
      ? sendBytes(fd, first, lent)
      : binding.sendVector(fd, buffers, undefined, lent.fds, lent.credentials, undefined, 0);
  }

  #advance(part: Part, sent: number): void {
    this.#progressed = true;
    part.size -= sent;
    if (part.size === 0) {
      this.#parts.shift();
      part.parcel?.end();
    } else {
      part.buffers = withoutFirst(sent, part.buffers);
    }
    this.#socket.onSent(sent);
  }

  #finish(error?: Error): void {
    const done = this.#done;
    this.#done = undefined;
    this.#parts = [];
    this.#socket.wantWritable(false);
    done?.(error);
  }
}

function totalLength(buffers: readonly Uint8Array[]): number {
  let total = 0;
  for (const { length } of buffers) total += length;
  return total;
}

function withoutFirst(bytes: number, buffers: readonly Uint8Array[]): Uint8Array[] {
  let left = bytes;
  const at = buffers.findIndex(({ length }) => {
    if (length > left) return true;
    left -= length;
    return false;
  });
  return buffers.slice(at).map((buffer, index) => (index === 0 ? buffer.subarray(left) : buffer));
}
