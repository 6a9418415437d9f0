// Inbox: one native call receives a batch of messages; here they become objects of their own.
import { MAX_BATCH, MAX_FDS_PER_MESSAGE } from '../base/limits';
import { UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import { binding, type InboxHandle } from '../native/binding';
import type { ControlLimits, Message } from './message';
import { toCredentials } from './peer';

// Columns of a record; WriteRecord() of message_binding.cc writes them.
const SIZE = 0;
const REAL_SIZE = 1;
const FD_COUNT = 2;
const FDS_DROPPED = 3;
const NAME_SIZE = 4;
const PID = 5;
const UID = 6;
const GID = 7;
const PIDFD = 8;
const COLUMNS = 9;

/** UnixAddress::kMaxSunPathBytes */
const NAME_BYTES = 108;

/** Address space of a slab. Only what messages really fill becomes memory. */
const SLAB_BYTES = 8 * 1024 * 1024;

export interface Batch {
  messages: Message[];
  /** Seqpacket: the peer has closed or shut down; nothing comes after these messages. */
  ended: boolean;
}

/**
 * Scratch memory for receiving. It is emptied before receive() returns, so all sockets of a thread with
 * one `maxBytes` share one, and an idle socket costs nothing here.
 */
export class Inbox {
  static readonly #shared = new Map<number, WeakRef<Inbox>>();

  readonly #slab: Buffer;
  readonly #slotSize: number;
  readonly #records = new Int32Array(MAX_BATCH * COLUMNS);
  readonly #names = Buffer.alloc(MAX_BATCH * NAME_BYTES);
  readonly #fds = new Int32Array(MAX_BATCH * (MAX_FDS_PER_MESSAGE + 1));
  readonly #handle: InboxHandle;
  #lastName = UnixAddress.unnamed;

  /** The caller keeps what it gets: the shared one lives as long as somebody uses it. */
  static for(maxBytes: number): Inbox {
    let inbox = Inbox.#shared.get(maxBytes)?.deref();
    if (inbox === undefined) {
      inbox = new Inbox(maxBytes);
      Inbox.#shared.set(maxBytes, new WeakRef(inbox));
    }
    return inbox;
  }

  private constructor(slotSize: number) {
    const slots = Math.max(1, Math.min(MAX_BATCH, Math.floor(SLAB_BYTES / slotSize)));
    this.#slotSize = slotSize;
    this.#slab = Buffer.allocUnsafeSlow(slots * slotSize);
    this.#handle = binding.openInbox(this.#slab, slots, slotSize, this.#records, this.#names, this.#fds);
  }

  /**
   * Receives what is queued, at most `maxMessages`; never waits.
   * @returns a negative errno, -EAGAIN if nothing is there, or the messages, which the caller owns
   */
  receive(fd: number, limits: ControlLimits, maxMessages: number, endOfStream: boolean): Batch | number {
    const { maxFds, credentials, pidFd } = limits;
    const result = binding.receive(this.#handle, fd, maxMessages, maxFds, credentials, pidFd, endOfStream);
    if (result < 0) return result;
    const count = result >> 1;
    const messages: Message[] = [];
    let firstFd = 0;
    for (let index = 0; index < count; index++) {
      const message = this.#read(index, firstFd);
      firstFd += message.fds.length;
      messages.push(message);
    }
    return { messages, ended: (result & 1) === 1 };
  }

  #read(index: number, firstFd: number): Message {
    const at = index * COLUMNS;
    const column = (name: number): number => this.#records[at + name] as number;
    // Owners first: from here a failure cannot lose a descriptor.
    const fds = Array.from(this.#fds.subarray(firstFd, firstFd + column(FD_COUNT)), Fd.own);
    const pidFd = column(PIDFD) === -1 ? undefined : Fd.own(column(PIDFD));
    const size = column(SIZE);
    const slot = index * this.#slotSize;
    const data = Buffer.allocUnsafe(size);
    this.#slab.copy(data, 0, slot, slot + size);
    const message: Message = {
      data,
      fds,
      from: this.#name(index, column(NAME_SIZE)),
      truncated: column(REAL_SIZE) > size,
      size: column(REAL_SIZE),
      fdsDropped: column(FDS_DROPPED) === 1,
    };
    if (column(PID) !== 0) {
      message.credentials = toCredentials(column(PID), column(UID), column(GID));
    }
    if (pidFd !== undefined) message.pidFd = pidFd;
    return message;
  }

  // Messages tend to come from one sender: the last name is kept.
  #name(index: number, size: number): UnixAddress {
    if (size === 0) return UnixAddress.unnamed;
    const bytes = this.#names.subarray(index * NAME_BYTES, index * NAME_BYTES + size);
    if (!this.#lastName.sunPath.equals(bytes)) this.#lastName = UnixAddress.fromSunPath(Buffer.from(bytes));
    return this.#lastName;
  }
}
