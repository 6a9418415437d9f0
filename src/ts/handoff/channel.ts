// ControlChannel: frames of one transaction over one seqpacket connection.
import { type FdpassError, hasCode } from '../base/errors';
import { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';
import type { Message } from '../sockets/message';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { decodeFrame, encodeFrame, type Frame, type FrameType, NO_TXN, protocolError } from './frame';

export interface ChannelHandlers {
  /** Descriptors come with FDS frames only; the handler owns them. */
  onFrame(frame: Frame, fds: Fd[]): void;
  /** What came is no frame that may come here. Its descriptors have been closed. */
  onGarbage(reason: string): void;
  /** The peer is gone. Called once, and not after close(). */
  onEnd(): void;
}

export class ControlChannel {
  readonly #socket: UnixSeqpacket;
  #txn: string | undefined;
  #sent = 0;
  #received = 0;
  #open = true;
  #lost = false;
  #handlers: ChannelHandlers;

  /** @param txn the transaction; undefined: that of the first frame that comes. Takes the socket over. */
  constructor(socket: UnixSeqpacket, txn: string | undefined, handlers: ChannelHandlers) {
    this.#socket = socket;
    this.#txn = txn;
    this.#handlers = handlers;
    const onEnd = (): void => {
      if (!this.#open) return;
      this.close();
      this.#handlers.onEnd();
    };
    socket.on('message', (message: Message) => {
      if (!this.#open) {
        Fd.closeAll(message.fds);
        return;
      }
      this.#onMessage(message);
    });
    socket.on('end', onEnd);
    // The peer has closed, perhaps with something of ours unread. What it said before, a NAK perhaps, decides what
    // its end means: that is read first, and then the end.
    this.#fail = (error) => {
      this.#lost = true;
      if (!hasCode(error, 'ECONNRESET', 'EPIPE')) onEnd();
    };
    socket.on('error', this.#fail);
  }

  readonly #fail: (error: Error) => void;

  /** From here somebody else judges what comes. */
  redirect(handlers: ChannelHandlers): void {
    this.#handlers = handlers;
  }

  /** Queues if the peer is slow; the order is kept. A dead peer is reported by onEnd(). */
  send(type: FrameType, payload: Record<string, unknown>, fds: readonly FdLike[] = []): void {
    void this.deliver(type, payload, fds);
  }

  /** As send(). Resolves, never rejects, when the kernel has it, or the peer has gone. */
  async deliver(
    type: FrameType,
    payload: Record<string, unknown>,
    fds: readonly FdLike[] = [],
  ): Promise<void> {
    if (!this.#open || this.#txn === undefined) return;
    let frame: Buffer;
    try {
      frame = encodeFrame({ type, txn: this.#txn, sequence: this.#sent, payload });
    } catch (error) {
      // Too many listeners for one OFFER. A turn later: we are in the middle of a step of the machine.
      setImmediate(() => this.#open && this.#handlers.onGarbage((error as Error).message));
      return;
    }
    this.#sent++;
    await this.#socket.send(frame, { fds }).catch(this.#fail);
  }

  /** Something that was sent may not have reached the peer. */
  get lost(): boolean {
    return this.#lost;
  }

  /** Keeps the process alive, until unref(). */
  ref(): void {
    if (this.#open) this.#socket.ref();
  }

  unref(): void {
    this.#socket.unref();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    void this.#socket.close();
  }

  #onMessage(message: Message): void {
    let frame: Frame;
    try {
      frame = this.#check(message);
    } catch (error) {
      Fd.closeAll(message.fds);
      this.#handlers.onGarbage((error as FdpassError).message);
      return;
    }
    this.#handlers.onFrame(frame, message.fds);
  }

  #check(message: Message): Frame {
    if (message.truncated) throw protocolError(`a frame of ${message.size} bytes is too long`);
    if (message.fdsDropped)
      throw protocolError('descriptors were lost: none may come here, or this process has no free ones');
    const frame = decodeFrame(message.data);
    this.#txn ??= frame.txn;
    const refused = frame.type === 'REFUSED' && frame.txn === NO_TXN; // before our HELLO was read
    if (frame.txn !== this.#txn && !refused) throw protocolError('the frame is of another transaction');
    if (frame.sequence !== this.#received) {
      throw protocolError(`expected frame ${this.#received}, got ${frame.sequence}`);
    }
    this.#received++;
    if (message.fds.length > 0 && frame.type !== 'FDS')
      throw protocolError(`a ${frame.type} brought descriptors`);
    return frame;
  }
}
