// StreamReader: bytes on their way into a stream socket's buffer, and the events that belong to them.
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { systemError } from '../base/errors';
import { Inbox } from './inbox';
import { discard, type Message } from './message';
import type { ControlLimits } from './passing';
import type { Credentials } from './peer';
import type { Landing } from './stream-landing';

const { EAGAIN } = constants.errno;

/** Reads in one turn of the loop, so that a flood leaves time for others. */
const READS_PER_TURN = 16;

export interface ReaderSocket {
  readonly fd: number;
  readonly limits: ControlLimits;
  wantReadable(want: boolean): void;
  /** So many bytes have come. */
  onReceived(bytes: number): void;
}

/**
 * Pushes into `stream`, and emits its 'credentials' and 'fds' right before the bytes that they came with: when what came
 * before has been consumed, and somebody reads.
 */
export class StreamReader {
  readonly #stream: Readable;
  readonly #socket: ReaderSocket;
  readonly #inbox = Inbox.forStreams();
  readonly #landing: Landing;
  /** Not before the socket is connected. */
  #open: boolean;
  /** The stream's buffer has room. */
  #wanted = false;
  /** Received, and not to be shown yet. */
  #held: Message | undefined;
  /** Somebody has called read(), and there was nothing. */
  #asked = false;
  #sender: Credentials | undefined;

  /** @param landing of the bytes; without an `onread` buffer they become the stream's data */
  constructor(stream: Readable, socket: ReaderSocket, landing: Landing, open: boolean) {
    this.#stream = stream;
    this.#landing = landing;
    this.#socket = socket;
    this.#open = open;
  }

  /** As net.Socket does: the end of the peer is seen although nobody reads. */
  start(): void {
    this.#open = true;
    if (!this.#stream.isPaused()) this.#stream.read(0);
    this.#updateWatching();
  }

  /** The stream's buffer has room. */
  want(): void {
    this.#wanted = true;
    this.#updateWatching();
  }

  /** Of a stream that buffers nothing, which goes on at the next read() or resume(). */
  pause(): void {
    if (!this.#landing.direct) return;
    this.#wanted = false;
    this.#updateWatching();
  }

  resume(): void {
    if (this.#landing.direct) this.want();
  }

  /** After each read() of the stream, which may have emptied the buffer that #held waits for. */
  onRead(data: unknown, size: number | undefined): void {
    this.resume();
    if (data === null && size !== 0 && !this.#stream.readableFlowing) this.#asked = true;
    this.showSoon();
  }

  showSoon(): void {
    if (this.#held !== undefined) process.nextTick(() => this.#showHeld());
  }

  receive(): void {
    for (let reads = 0; reads < READS_PER_TURN && this.#mayReceive; reads++) {
      const chunk = this.#read();
      if (chunk === undefined) return;
      this.#take(chunk);
    }
    this.#updateWatching();
  }

  /** undefined: nothing is there, or the stream is destroyed. */
  #read(): Message | undefined {
    try {
      const memory = this.#landing.room();
      if (!this.#mayReceive) return undefined; // who gives the memory may have destroyed or paused the stream
      const chunk = this.#inbox.read(this.#socket.fd, this.#socket.limits, memory, this.#landing);
      if (chunk === -EAGAIN) return undefined;
      if (typeof chunk !== 'number') return chunk;
      this.#stream.destroy(systemError(chunk, 'recvmsg'));
    } catch (error) {
      this.#stream.destroy(error as Error);
    }
    return undefined;
  }

  close(): void {
    if (this.#held !== undefined) discard(this.#held);
    this.#held = undefined;
  }

  get #mayReceive(): boolean {
    return this.#open && this.#wanted && this.#held === undefined && !this.#stream.destroyed;
  }

  #updateWatching(): void {
    if (!this.#stream.destroyed) this.#socket.wantReadable(this.#mayReceive);
  }

  #take(chunk: Message): void {
    if (chunk.size === 0) {
      this.#wanted = false;
      this.#stream.push(null);
      this.#stream.read(0); // 'end' comes although nobody reads, if nothing is there to be read
      return;
    }
    this.#socket.onReceived(chunk.size);
    this.#held = chunk;
    if (this.#mayShow(chunk)) this.#showHeld();
  }

  /** Bytes alone: at once. What has an event of its own: when somebody reads, and has read what came before. */
  #mayShow({ fds, fdsDropped, credentials }: Message): boolean {
    if (fds.length === 0 && !fdsDropped && !this.#isNew(credentials)) return true;
    const stream = this.#stream;
    if (this.#landing.direct) return true;
    const reads = stream.readableFlowing || this.#asked || stream.listenerCount('readable') > 0;
    return reads && stream.readableLength === 0;
  }

  #isNew(sender: Credentials | undefined): sender is Credentials {
    return sender !== undefined && (this.#sender === undefined || !isSame(sender, this.#sender));
  }

  #showHeld(): void {
    const chunk = this.#held;
    if (chunk === undefined || !this.#mayShow(chunk)) return;
    this.#held = undefined;
    this.#asked = false;
    this.#show(chunk);
    this.#updateWatching();
  }

  // A listener that throws or destroys the stream must cost neither bytes nor descriptors.
  #show(chunk: Message): void {
    try {
      this.#showCredentials(chunk.credentials);
    } finally {
      try {
        this.#showFds(chunk);
      } finally {
        if (!this.#stream.destroyed && !this.#landing.show(chunk.data, chunk.size)) this.#wanted = false;
      }
    }
  }

  #showCredentials(sender: Credentials | undefined): void {
    if (!this.#isNew(sender)) return;
    this.#sender = sender;
    this.#stream.emit('credentials', sender);
  }

  #showFds(chunk: Message): void {
    const { fds, fdsDropped } = chunk;
    if (fds.length === 0 && !fdsDropped) return;
    if (this.#stream.destroyed || !this.#stream.emit('fds', fds, { dropped: fdsDropped })) discard(chunk);
  }
}

function isSame(one: Credentials, other: Credentials): boolean {
  return one.pid === other.pid && one.uid === other.uid && one.gid === other.gid;
}
