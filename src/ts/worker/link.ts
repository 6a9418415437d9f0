// Link: messages between a primary and one worker, over one seqpacket connection.
import { hasCode } from '../base/errors';
import { MAX_FDS_PER_MESSAGE } from '../base/limits';
import { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';
import type { Message } from '../sockets/message';
import { UnixSeqpacket } from '../sockets/seqpacket';

/** Of one message, in bytes. */
const MAX_MESSAGE_BYTES = 64 * 1024;

/** Of both ends. Descriptors that a message does not carry are closed by whoever reads it. */
export const LINK_OPTIONS = { maxFds: MAX_FDS_PER_MESSAGE, maxBytes: MAX_MESSAGE_BYTES, lendData: true };

/** Set for a worker: the number of its end of the link and the inode behind it, as "number:inode". */
export const LINK_VARIABLE = 'FDPASS_LINK';

export interface LinkHandlers<In> {
  /** The handler owns the descriptors, also if it throws. */
  onMessage(message: In, fds: Fd[]): void;
  /** What came is no message. Its descriptors have been closed. */
  onGarbage(reason: string): void;
  /** The peer is gone. Called once, and not after close(). */
  onEnd(): void;
}

/** @typeParam Out what this side says @typeParam In what it hears */
export class Link<Out extends { type: string }, In extends { type: string }> {
  readonly #socket: UnixSeqpacket;
  #handlers: LinkHandlers<In>;
  readonly #read: (payload: Record<string, unknown>) => In;
  #open = true;

  /** Takes the socket over. @param read checks what came; throws if it makes no sense */
  constructor(
    socket: UnixSeqpacket,
    read: (payload: Record<string, unknown>) => In,
    handlers: LinkHandlers<In>,
  ) {
    this.#socket = socket;
    this.#read = read;
    this.#handlers = handlers;
    socket.on('message', (message: Message) => this.#onMessage(message));
    socket.on('end', () => this.#onEnd());
    // The peer has closed with something unread: what it said before is read first, then comes the end.
    socket.on('error', (error) => {
      if (!hasCode(error, 'ECONNRESET', 'EPIPE')) this.#onEnd();
    });
  }

  /** Calls back once there is room again for what trySend() has refused. */
  onceRoom(callback: () => void): void {
    this.#socket.once('drain', callback);
  }

  /** From here somebody else hears what comes. */
  hear(handlers: LinkHandlers<In>): void {
    this.#handlers = handlers;
  }

  get open(): boolean {
    return this.#open;
  }

  /** Queues if the peer is slow; the order is kept. The descriptors are lent. A dead peer is reported by onEnd(). */
  send(message: Out, fds: readonly FdLike[] = []): void {
    if (!this.#open) return;
    this.#socket.send(encode(message), { fds }).catch(() => {}); // the reader hears of the end
  }

  /**
   * Now or not at all, of a message that was encoded before.
   * @returns false: the peer has not read what it was sent so far, or is gone
   */
  trySend(message: Buffer, fds: readonly FdLike[]): boolean {
    if (!this.#open) return false;
    try {
      return this.#socket.trySend(message, { fds });
    } catch (error) {
      if (hasCode(error, 'EPIPE', 'ECONNRESET', 'ENOTCONN')) return false; // onEnd() comes
      throw error;
    }
  }

  ref(): void {
    if (this.#open) this.#socket.ref();
  }

  unref(): void {
    if (this.#open) this.#socket.unref();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    void this.#socket.close();
  }

  #onMessage({ data, fds, truncated, fdsDropped }: Message): void {
    if (!this.#open) {
      Fd.closeAll(fds);
      return;
    }
    let message: In;
    try {
      if (truncated) throw new Error('a message is too long');
      if (fdsDropped) throw new Error('descriptors were lost: this process has no free ones');
      message = this.#read(decode(data));
    } catch (error) {
      Fd.closeAll(fds);
      this.#handlers.onGarbage((error as Error).message);
      return;
    }
    this.#handlers.onMessage(message, fds);
  }

  #onEnd(): void {
    if (!this.#open) return;
    this.close();
    this.#handlers.onEnd();
  }
}

/** For a message that is sent often. */
export function encode<Out extends { type: string }>(message: Out): Buffer {
  return Buffer.from(JSON.stringify(message));
}

function decode(data: Buffer): Record<string, unknown> {
  const value: unknown = JSON.parse(data.toString());
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new Error('a message is not an object');
  return value as Record<string, unknown>;
}

/** A new pair: one end for the link of this process, the other to be inherited by a worker. */
export function openLinkPair(): { ours: UnixSeqpacket; theirs: Fd } {
  const [ours, other] = UnixSeqpacket.pair(LINK_OPTIONS);
  try {
    return { ours, theirs: Fd.dup(other) };
  } catch (error) {
    void ours.close();
    throw error;
  } finally {
    void other.close();
  }
}
