// StreamWriter: bytes on their way out of a stream socket, and what goes with them.
import { constants } from 'node:os';
import { systemError } from '../base/errors';
import { binding } from '../native/binding';
import { KeptAttachment, type Lent } from './attachment';
import { sendError } from './outbox';

const { EAGAIN, EPIPE, ECONNRESET, ENOTCONN } = constants.errno;

/** Nothing can follow on this connection. Any other error concerns the descriptors or credentials of one parcel. */
const FATAL = [EPIPE, ECONNRESET, ENOTCONN].map((errno) => -errno);

/** System calls in one turn of the loop: a peer that reads as fast as we write must not keep the others waiting. */
const CALLS_PER_TURN = 16;

/** IOV_MAX of limits.h: buffers in one sendmsg(2). */
const MAX_BUFFERS = 1024;

const NOTHING: Lent = { fds: undefined, credentials: undefined };

/** Bytes of one send(), with an attachment that goes with the first of them, once. */
export class Parcel {
  #state: 'waiting' | 'begun' | 'dropped' = 'waiting';
  #lent: Lent;
  #kept: KeptAttachment | undefined;
  /** Why it was dropped. */
  failure: Error | undefined;

  constructor(lent: Lent) {
    this.#lent = lent;
  }

  get state(): 'waiting' | 'begun' | 'dropped' {
    return this.#state;
  }

  get attachment(): Lent {
    return this.#kept?.lend() ?? this.#lent;
  }

  /** The call that lent the descriptors returns, and the parcel has to wait. @throws SystemError EMFILE */
  keep(): void {
    if (this.#state === 'waiting') this.#kept = new KeptAttachment(this.#lent);
  }

  begin(): void {
    this.#state = 'begun';
    this.#release();
  }

  /** Nothing of it will be sent. */
  drop(failure: Error): void {
    this.#state = 'dropped';
    this.failure = failure;
    this.#release();
  }

  #release(): void {
    this.#kept?.close();
    this.#kept = undefined;
    this.#lent = NOTHING;
  }
}

/** What one sendmsg(2) takes: a parcel, or bytes without one. */
interface Part {
  buffers: Uint8Array[];
  size: number;
  parcel: Parcel | undefined;
}

export interface WriterSocket {
  readonly fd: number;
  wantWritable(want: boolean): void;
  /** So many bytes are the kernel's now. */
  onSent(bytes: number): void;
}

/** Takes one write at a time, as a Writable gives them. */
export class StreamWriter {
  readonly #socket: WriterSocket;
  readonly #parcels = new WeakMap<Uint8Array, Parcel>();
  #parts: Part[] = [];
  /** Bytes of the first part that went already. */
  #skip = 0;
  #done: ((error?: Error) => void) | undefined;
  #open: boolean;

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
    for (let calls = 0; calls < CALLS_PER_TURN; calls++) {
      while (this.#parts[0]?.parcel?.state === 'dropped') this.#parts.shift();
      const part = this.#parts[0];
      if (part === undefined) {
        this.#finish();
        return;
      }
      const sent = this.#send(part);
      if (sent === -EAGAIN) break;
      if (sent < 0 && !this.#survive(part, sent)) {
        this.#finish(systemError(sent, 'sendmsg'));
        return;
      }
    }
    this.#socket.wantWritable(true);
  }

  /** What waits fails with `error`. */
  close(error: Error): void {
    this.#open = false;
    for (const { parcel } of this.#parts) if (parcel?.state === 'waiting') parcel.drop(error);
    if (this.#done !== undefined) this.#finish(error);
  }

  #split(chunks: readonly Uint8Array[]): Part[] {
    const parts: Part[] = [];
    for (const chunk of chunks) {
      const parcel = this.#parcels.get(chunk);
      const last = parts.at(-1);
      if (
        parcel === undefined &&
        last?.parcel === undefined &&
        (last?.buffers.length ?? MAX_BUFFERS) < MAX_BUFFERS
      ) {
        last?.buffers.push(chunk);
        if (last !== undefined) last.size += chunk.length;
      } else {
        parts.push({ buffers: [chunk], size: chunk.length, parcel });
      }
    }
    return parts;
  }

  #send({ buffers, size, parcel }: Part): number {
    const { fds, credentials } = parcel?.attachment ?? NOTHING;
    const [only] = buffers;
    const sent =
      buffers.length === 1 && only !== undefined
        ? binding.send(
            this.#socket.fd,
            this.#skip === 0 ? only : only.subarray(this.#skip),
            undefined,
            fds,
            credentials,
          )
        : binding.sendVector(this.#socket.fd, buffers, this.#skip, undefined, fds, credentials, undefined, 0);
    if (sent < 0) return sent;
    if (parcel?.state === 'waiting') parcel.begin();
    this.#skip += sent;
    this.#socket.onSent(sent);
    if (this.#skip >= size) {
      this.#parts.shift();
      this.#skip = 0;
    }
    return sent;
  }

  /** A parcel of which no byte went is dropped alone: the stream is as if it had never been. */
  #survive({ parcel }: Part, errno: number): boolean {
    if (parcel?.state !== 'waiting' || FATAL.includes(errno)) return false;
    parcel.drop(sendError(errno, parcel.attachment));
    return true;
  }

  #finish(error?: Error): void {
    const done = this.#done;
    this.#done = undefined;
    this.#parts = [];
    this.#skip = 0;
    this.#socket.wantWritable(false);
    done?.(error);
  }
}
