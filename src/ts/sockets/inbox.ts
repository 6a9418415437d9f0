// Inbox: one native call receives a batch of messages; here they become objects of their own.
import { MAX_BATCH, MAX_FDS_PER_MESSAGE } from '../base/limits';
import { UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import { binding, type InboxHandle } from '../native/binding';
import type { Message } from './message';
import type { ControlLimits } from './passing';
import { toCredentials } from './peer';
import { copyOf, SharedMemory } from './shared-memory';

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
/** Where the bytes are in the memory that receive() was given; -1: only in the message's slot of the slab. */
const OFFSET = 9;
const COLUMNS = 10;

// Columns of the request; Receive() of message_binding.cc reads them.
const REQUEST_FD = 0;
const REQUEST_MAX_MESSAGES = 1;
const REQUEST_MAX_FDS = 2;
const REQUEST_ASKED = 3;
const REQUEST_POOL_USED = 4;
const REQUEST_DIRECT = 5;
const REQUEST_COLUMNS = 6;

/** The request has columns of 32 bits. */
const MAX_READ = 2 ** 31 - 1;

/** UnixAddress::kMaxSunPathBytes is so many words of four bytes; WriteRecord() fills the last one of a name with zeros. */
const NAME_WORDS = 27;

/** Address space of a slab. Only what messages really fill becomes memory. */
const SLAB_BYTES = 8 * 1024 * 1024;

/** About as much is received in one call: others have their turn, and it stays in the processor's cache. */
const BATCH_BYTES = 1024 * 1024;

/** What small messages share, and what larger ones do. */
const SMALL_PIECE_BYTES = 64 * 1024;
const LARGE_PIECE_BYTES = 256 * 1024;
/** Pool::kLargest of message_binding.cc. */
const LARGEST_SMALL = 4096;

// Asked of message_binding.cc.
const ASK_CREDENTIALS = 1;
const ASK_PIDFD = 2;
const ASK_END = 4;
const ASK_BYTES_ONLY = 8;

export interface Batch {
  messages: Message[];
  /** Seqpacket: the peer has closed or shut down; nothing comes after these messages. */
  ended: boolean;
}

/**
 * Scratch memory for receiving. It is emptied before receive() returns, so all sockets of a thread with
 * one `maxBytes` share one, and an idle socket costs nothing here. What one that lends has received is its caller's until
 * somebody receives again.
 */
export class Inbox {
  static readonly #owning = new Map<number, WeakRef<Inbox>>();
  static readonly #lending = new Map<number, WeakRef<Inbox>>();
  static #forStreams: WeakRef<Inbox> | undefined;

  readonly #slab: Buffer;
  readonly #slotSize: number;
  readonly #records = new Int32Array(MAX_BATCH * COLUMNS);
  readonly #names = new Int32Array(MAX_BATCH * NAME_WORDS);
  readonly #fds = new Int32Array(MAX_BATCH * (MAX_FDS_PER_MESSAGE + 1));
  readonly #request = new Int32Array(REQUEST_COLUMNS);
  readonly #handle: InboxHandle;
  readonly #lends: boolean;
  /** Small messages are copied there by the addon. */
  readonly #small: SharedMemory;
  /**
   * For larger ones. Those that become their receiver's are copied, too: the kernel gives the sender its room back as soon as it has
   * copied them, which to the slab, that stays in the processor's cache, takes half the time.
   */
  readonly #large: SharedMemory;
  #lastName = UnixAddress.unnamed;
  /** Its bytes as they are in #names. */
  readonly #lastWords = new Int32Array(NAME_WORDS);

  /** The caller keeps what it gets: the shared one lives as long as somebody uses it. */
  static for({ maxBytes, lendData }: { maxBytes: number; lendData: boolean }): Inbox {
    const all = lendData ? Inbox.#lending : Inbox.#owning;
    let inbox = all.get(maxBytes)?.deref();
    if (inbox === undefined) {
      inbox = new Inbox(maxBytes, lendData);
      all.set(maxBytes, new WeakRef(inbox));
    }
    return inbox;
  }

  /** Only for read(): it has no slab. The caller keeps it, as above. */
  static forStreams(): Inbox {
    let inbox = Inbox.#forStreams?.deref();
    if (inbox === undefined) {
      inbox = new Inbox(0, false);
      Inbox.#forStreams = new WeakRef(inbox);
    }
    return inbox;
  }

  private constructor(slotSize: number, lends: boolean) {
    this.#lends = lends;
    this.#small = new SharedMemory(SMALL_PIECE_BYTES, { reused: lends });
    this.#large = new SharedMemory(LARGE_PIECE_BYTES, { reused: lends });
    const slots = Math.max(1, Math.min(MAX_BATCH, Math.floor(SLAB_BYTES / slotSize)));
    this.#slotSize = slotSize;
    this.#slab = Buffer.allocUnsafeSlow(slots * slotSize);
    const arrays = [this.#records, this.#names, this.#fds, this.#request] as const;
    this.#handle = binding.openInbox(this.#slab, slots, slotSize, ...arrays);
  }

  /**
   * Receives what is queued, at most `maxMessages`, or fewer large ones; never waits. What is lent is not copied, where the
   * messages are large and have the size that is `expected`, in bytes.
   * @returns a negative errno, -EAGAIN if nothing is there, or the messages, which the caller owns (or has lent: see above)
   */
  receive(
    fd: number,
    limits: ControlLimits,
    { maxMessages, endOfStream, expected }: { maxMessages: number; endOfStream: boolean; expected: number },
  ): Batch | number {
    const asked = askedBy(limits) | (endOfStream ? ASK_END : 0);
    const direct = this.#lends && expected > LARGEST_SMALL ? Math.min(roundUp(expected), this.#slotSize) : 0;
    const memory = direct > 0 ? this.#large : this.#small;
    memory.require(direct > 0 ? direct : LARGEST_SMALL);
    const request = this.#request;
    request[REQUEST_FD] = fd;
    request[REQUEST_MAX_MESSAGES] = Math.max(1, Math.min(maxMessages, BATCH_BYTES / expected));
    request[REQUEST_MAX_FDS] = limits.maxFds;
    request[REQUEST_ASKED] = asked;
    request[REQUEST_POOL_USED] = memory.used;
    request[REQUEST_DIRECT] = direct;
    const result = binding.receive(this.#handle, memory.piece);
    if (result < 0) return result;
    return { messages: this.#readAll(result >> 1, memory), ended: (result & 1) === 1 };
  }

  /**
   * One read of a stream, into `memory`, which has at least one byte. `landing` makes the message's data of what was read there.
   * @returns a negative errno, -EAGAIN if nothing is there, or what came, of 0 bytes at the end
   */
  read(
    fd: number,
    limits: ControlLimits,
    memory: Uint8Array,
    landing: { take(size: number): Buffer },
  ): Message | number {
    const request = this.#request;
    request[REQUEST_FD] = fd;
    request[REQUEST_MAX_MESSAGES] = 1;
    request[REQUEST_MAX_FDS] = limits.maxFds;
    request[REQUEST_ASKED] = askedBy(limits);
    request[REQUEST_POOL_USED] = 0;
    request[REQUEST_DIRECT] = Math.min(memory.length, MAX_READ);
    const result = binding.receive(this.#handle, memory);
    if (result < 0) return result;
    const fdCount = this.#records[FD_COUNT] as number;
    const fds = fdCount === 0 ? [] : Fd.ownAll(this.#fds.subarray(0, fdCount));
    return this.#read(0, fds, landing.take(this.#records[SIZE] as number));
  }

  #readAll(count: number, memory: SharedMemory): Message[] {
    const records = this.#records;
    let fdCount = 0;
    for (let index = 0; index < count; index++) fdCount += records[index * COLUMNS + FD_COUNT] as number;
    // Owners first: from here a failure cannot lose a descriptor.
    const fds = fdCount === 0 ? undefined : Fd.ownAll(this.#fds.subarray(0, fdCount));
    // The usual one is written down as it is: push() is a call.
    if (count === 1) return [this.#read(0, fds ?? [], this.#data(0, memory))];
    const messages: Message[] = [];
    let firstFd = 0;
    for (let index = 0; index < count; index++) {
      const last = firstFd + (records[index * COLUMNS + FD_COUNT] as number);
      messages.push(this.#read(index, fds?.slice(firstFd, last) ?? [], this.#data(index, memory)));
      firstFd = last;
    }
    return messages;
  }

  #read(index: number, fds: Fd[], data: Buffer): Message {
    const records = this.#records;
    const at = index * COLUMNS;
    const pidFd = records[at + PIDFD] as number;
    const pid = records[at + PID] as number;
    const size = records[at + SIZE] as number;
    const realSize = records[at + REAL_SIZE] as number;
    const message: Message = {
      data,
      fds,
      from: this.#name(index, records[at + NAME_SIZE] as number),
      truncated: realSize > size,
      size: realSize,
      fdsDropped: records[at + FDS_DROPPED] === 1,
    };
    if (pid !== 0) {
      message.credentials = toCredentials(pid, records[at + UID] as number, records[at + GID] as number);
    }
    if (pidFd !== -1) message.pidFd = Fd.own(pidFd);
    return message;
  }

  #data(index: number, memory: SharedMemory): Buffer {
    const size = this.#records[index * COLUMNS + SIZE] as number;
    const offset = this.#records[index * COLUMNS + OFFSET] as number;
    if (size === 0) return Buffer.alloc(0);
    if (offset !== -1) return memory.take(offset, size);
    // The slab never leaves: a stream of bytes can detach what it is given, and the addon knows the slab by its address.
    const first = index * this.#slotSize;
    const alone = this.#lends || size > LARGE_PIECE_BYTES / 2;
    return alone ? copyOf(this.#slab, first, size) : this.#large.add(this.#slab, first, size);
  }

  // Messages tend to come from one sender: the last name is kept. To compare by words takes a tenth of what a view does.
  #name(index: number, size: number): UnixAddress {
    if (size === 0) return UnixAddress.unnamed;
    const first = index * NAME_WORDS;
    const words = (size + 3) >> 2;
    let same = size === this.#lastName.sunPath.length;
    for (let word = 0; same && word < words; word++)
      same = this.#names[first + word] === this.#lastWords[word];
    if (!same) {
      this.#lastWords.set(this.#names.subarray(first, first + words));
      this.#lastName = UnixAddress.fromSunPath(
        Buffer.copyBytesFrom(this.#lastWords, 0, words).subarray(0, size),
      );
    }
    return this.#lastName;
  }
}

function askedBy({ credentials, pidFd, bytesOnly }: ControlLimits): number {
  return (credentials ? ASK_CREDENTIALS : 0) | (pidFd ? ASK_PIDFD : 0) | (bytesOnly ? ASK_BYTES_ONLY : 0);
}

/** To whole pages, so that messages that differ a little are expected to be of one size. */
function roundUp(bytes: number): number {
  return (bytes + 4095) & ~4095;
}
