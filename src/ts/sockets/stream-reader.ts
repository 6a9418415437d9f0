// StreamReader: bytes on their way into a stream socket's buffer, and the events that belong to them.
import { constants } from 'node:os';
import type { Readable } from 'node:stream';
import { systemError } from '../base/errors';
import { Inbox } from './inbox';
import { type ControlLimits, discard, type Message } from './message';
import type { Credentials } from './peer';

const { EAGAIN } = constants.errno;

/** As much as libuv reads at once. */
const READ_BYTES = 64 * 1024;
/** Reads in one turn of the loop, so that a flood leaves time for others. */
const READS_PER_TURN = 16;

/** A read of more is taken for a part of a flood: the next one gets all it can. */
const FLOOD_BYTES = 4096;

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
  readonly #inbox = Inbox.for(READ_BYTES);
  /** Not before the socket is connected. */
  #open: boolean;
  /** The stream's buffer has room. */
  #wanted = false;
  #floods = false;
  /** Received, and not to be shown yet. */
  #held: Message | undefined;
  /** Somebody has called read(), and there was nothing. */
  #asked = false;
  #sender: Credentials | undefined;

  constructor(stream: Readable, socket: ReaderSocket, open: boolean) {
    this.#stream = stream;
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

  /** After each read() of the stream, which may have emptied the buffer that #held waits for. */
  onRead(data: unknown, size: number | undefined): void {
    if (data === null && size !== 0 && !this.#stream.readableFlowing) this.#asked = true;
    this.showSoon();
  }

  showSoon(): void {
    if (this.#held !== undefined) process.nextTick(() => this.#showHeld());
  }

  receive(): void {
    for (let reads = 0; reads < READS_PER_TURN && this.#mayReceive; reads++) {
      const expected = this.#floods ? READ_BYTES : 0;
      const asked = { maxMessages: 1, endOfStream: false, expected };
      const batch = this.#inbox.receive(this.#socket.fd, this.#socket.limits, asked);
      if (batch === -EAGAIN) return;
      if (typeof batch === 'number') {
        this.#stream.destroy(systemError(batch, 'recvmsg'));
        return;
      }
      this.#take(batch.messages[0] as Message);
    }
    this.#updateWatching();
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
    this.#floods = chunk.size > FLOOD_BYTES;
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
        if (!this.#stream.destroyed && !this.#stream.push(chunk.data)) this.#wanted = false;
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
