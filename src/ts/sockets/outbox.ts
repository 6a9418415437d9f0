// Outbox: messages that did not fit into a full peer, kept in order and sent when there is room.
import { constants } from 'node:os';
import { onCancel, type WaitOptions } from '../base/abort';
import { FdpassError, systemError } from '../base/errors';
import { MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES } from '../base/limits';
import type { UnixAddress } from '../fd/address';
import type { Fd } from '../fd/fd';
import { binding } from '../native/binding';
import { giveBack, KeptAttachment, type Lent, NOTHING } from './attachment';
import { POLL } from './constants';
import { type Readiness, WRITABLE } from './readiness';
import { Room } from './room';

const EAGAIN = -constants.errno.EAGAIN;

export interface Outgoing {
  data: Uint8Array;
  /** Undefined: the connected peer. */
  to: UnixAddress | undefined;
  lent: Lent;
}

interface Entry {
  data: Uint8Array;
  /** What it was when it was queued: a transfer to another thread leaves an empty array behind. */
  size: number;
  attachment: KeptAttachment;
  resolve(): void;
  reject(error: Error): void;
  /** Nobody can cancel it from there. */
  endWatch: (() => void) | undefined;
}

/** Those who wait for one destination. A full one does not hold up the others. */
interface Lane {
  to: UnixAddress | undefined;
  entries: Entry[];
  /** A trySend() was refused, and onDrain() is to follow. */
  refused: boolean;
  /** Waits for the socket itself: for its connected peer, or because its own buffer is full. */
  waitsForSocket: boolean;
  room: Room | undefined;
}

export class Outbox {
  readonly #fd: Fd;
  readonly #readiness: Readiness;
  readonly #highWaterMark: number;
  readonly #onDrain: () => void;
  readonly #lanes = new Map<string, Lane>();
  #messages = 0;
  #bytes = 0;
  /** The high-water mark was reached, and onDrain() is to follow when nothing waits. */
  #full = false;
  #needDrain = false;
  /** A destination that was said to have room, and has taken nothing since. */
  #doubted: string | undefined;
  #onEmpty: (() => void) | undefined;
  #ref = true;

  /**
   * Of the socket that owns `fd`. It wants WRITABLE of `readiness` while somebody waits for the socket itself: then call
   * onWritable().
   * @param highWaterMark messages from which on needDrain says so
   */
  constructor(fd: Fd, readiness: Readiness, highWaterMark: number, onDrain: () => void) {
    this.#fd = fd;
    this.#readiness = readiness;
    this.#highWaterMark = highWaterMark;
    this.#onDrain = onDrain;
  }

  get queuedMessages(): number {
    return this.#messages;
  }

  /** True from a refused trySend(), or from the high-water mark on, until onDrain(). */
  get needDrain(): boolean {
    return this.#needDrain;
  }

  /**
   * One attempt, now. False when the destination is full or others wait for it already.
   * @throws SystemError of sendmsg(2)
   */
  trySend(fd: number, message: Outgoing): boolean {
    const lane = this.#lanes.size === 0 ? undefined : this.#lanes.get(laneKey(message.to));
    if ((lane?.entries.length ?? 0) > 0 || !attempt(fd, message)) return false;
    this.#doubted = undefined;
    return true;
  }

  /** After a trySend() that was refused for good: onDrain() follows when another one is worth it. */
  awaitRoom(to: UnixAddress | undefined): void {
    const lane = this.#lane(to);
    lane.refused = true;
    this.#needDrain = true;
    this.#await(lane);
  }

  /**
   * Keeps a message until there is room.
   * @returns resolves when it was sent
   * @throws ERR_FDPASS_QUEUE_FULL, EMFILE of fcntl(2); it rejects with what the message failed with, what clear() says,
   * AbortError, or ERR_FDPASS_TIMEOUT
   */
  enqueue(message: Outgoing, options: WaitOptions): Promise<void> {
    const { data, to, lent } = message;
    if (this.#messages >= MAX_QUEUED_MESSAGES || this.#bytes + data.length > MAX_QUEUED_BYTES) {
      throw new FdpassError(
        'ERR_FDPASS_QUEUE_FULL',
        `${this.#messages} messages (${this.#bytes} bytes) wait for a full peer already; await send() before sending more`,
      );
    }
    const attachment = KeptAttachment.of(lent);
    const lane = this.#lane(to);
    return new Promise((resolve, reject) => {
      const entry: Entry = { data, size: data.length, attachment, resolve, reject, endWatch: undefined };
      lane.entries.push(entry);
      this.#messages++;
      this.#bytes += data.length;
      if (this.#messages >= this.#highWaterMark) this.#full = this.#needDrain = true;
      const cancel = (error: Error): void => this.#end(lane, entry, error);
      try {
        entry.endWatch = onCancel(options, 'send()', cancel);
        this.#await(lane);
      } catch (error) {
        cancel(error as Error);
      }
    });
  }

  /** Calls back once nothing waits any more, now if nothing does. Not after clear(). */
  whenEmpty(callback: () => void): void {
    if (this.#messages === 0) callback();
    else this.#onEmpty = callback;
  }

  /** The socket can send to its connected peer, or has room of its own. */
  onWritable(): void {
    for (const lane of [...this.#lanes.values()].filter(({ waitsForSocket }) => waitsForSocket)) {
      lane.waitsForSocket = false;
      this.#flush(lane);
    }
    this.#updateWatching();
  }

  /** The socket closes: everyone who waits is told. (An error for nobody took a sixth of the time of a short connection.) */
  clear(makeError: () => Error): void {
    this.#onEmpty = undefined;
    this.#full = this.#needDrain = false;
    for (const lane of [...this.#lanes.values()]) {
      lane.refused = false;
      for (const entry of [...lane.entries]) this.#end(lane, entry, makeError());
      this.#removeLane(lane);
    }
  }

  /** Whether those who wait for a destination keep the process alive. */
  setRef(ref: boolean): void {
    this.#ref = ref;
    for (const { room } of this.#lanes.values()) room?.setRef(ref);
  }

  #lane(to: UnixAddress | undefined): Lane {
    const key = laneKey(to);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { to, entries: [], refused: false, waitsForSocket: false, room: undefined };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #await(lane: Lane): void {
    if (lane.to === undefined || !hasOwnRoom(this.#fd.fd)) {
      lane.waitsForSocket = true;
      this.#updateWatching();
      return;
    }
    lane.room ??= this.#openRoom(lane, lane.to);
    lane.room.await();
  }

  #openRoom(lane: Lane, to: UnixAddress): Room {
    const key = laneKey(to);
    const room = new Room(to, this.#doubted === key, () => {
      this.#doubted = key;
      this.#flush(lane);
    });
    room.setRef(this.#ref);
    return room;
  }

  #updateWatching(): void {
    const waits = [...this.#lanes.values()].some(({ waitsForSocket }) => waitsForSocket);
    waits ? this.#readiness.want(WRITABLE) : this.#readiness.drop(WRITABLE);
  }

  #flush(lane: Lane): void {
    for (let entry = lane.entries[0]; entry !== undefined; entry = lane.entries[0]) {
      let error: Error | undefined;
      try {
        if (entry.data.length !== entry.size) throw detachedError();
        const message = { data: entry.data, to: lane.to, lent: entry.attachment.lend() };
        if (!attempt(this.#fd.fd, message)) break;
        lane.room?.confirm();
        this.#doubted = undefined;
      } catch (failure) {
        error = failure as Error;
      }
      this.#end(lane, entry, error);
    }
    if (lane.entries.length > 0) this.#await(lane);
    else this.#removeLane(lane);
  }

  /** It is told, and nobody can cancel it any more, before whoever waits for all to be gone can fail. */
  #end(lane: Lane, entry: Entry, error?: Error): void {
    entry.endWatch?.();
    error === undefined ? entry.resolve() : entry.reject(error);
    lane.entries.splice(lane.entries.indexOf(entry), 1);
    this.#messages--;
    this.#bytes -= entry.size;
    entry.attachment.close();
    if (lane.entries.length === 0) this.#removeLane(lane);
    if (this.#messages > 0) return;
    const onEmpty = this.#onEmpty;
    this.#onEmpty = undefined;
    onEmpty?.();
  }

  // Not one that took a new message while its last one was settled.
  #removeLane(lane: Lane): void {
    if (lane.entries.length > 0 || this.#lanes.get(laneKey(lane.to)) !== lane) return;
    lane.room?.close();
    this.#lanes.delete(laneKey(lane.to));
    if (lane.waitsForSocket) this.#updateWatching();
    // A destination that stays full does not keep it from those that tried another.
    if ((!lane.refused && !this.#full) || (this.#full && this.#messages > 0)) return;
    this.#full = this.#needDrain = false;
    this.#onDrain();
  }
}

/** Bytes that wait were transferred to another thread, which leaves an empty array behind. */
export function detachedError(): FdpassError {
  return new FdpassError(
    'ERR_FDPASS_DETACHED',
    'bytes were transferred to another thread while they waited to be sent; send a copy',
  );
}

/** False if the buffer of the socket itself is full; true also where that cannot be told from a full connected peer. */
function hasOwnRoom(fd: number): boolean {
  return isConnected(fd) || binding.poll(fd, POLL.OUT) !== 0;
}

function isConnected(fd: number): boolean {
  try {
    binding.remoteUnixAddress(fd);
    return true;
  } catch {
    return false;
  }
}

// latin1 keeps every byte apart; an empty key is the connected peer (no address has an empty sun_path to send to).
function laneKey(to: UnixAddress | undefined): string {
  return to === undefined ? '' : to.sunPath.toString('latin1');
}

function attempt(fd: number, { data, to, lent }: Outgoing): boolean {
  const sent = sendBytes(fd, data, lent, to);
  if (sent >= 0) return true;
  if (sent === EAGAIN) return false;
  throw sendError(sent, lent, to);
}

/** @returns how many went, or below zero an errno */
export function sendBytes(fd: number, data: Uint8Array, lent: Lent, to?: UnixAddress): number {
  if (to === undefined && lent === NOTHING) return binding.send(fd, data);
  const sent = binding.sendTo(fd, data, to?.sunPath, lent.fds, lent.credentials);
  if (sent >= 0) giveBack(lent);
  return sent;
}

/** @param errno negative */
export function sendError(errno: number, lent: Lent, to?: UnixAddress): Error {
  const error = systemError(errno, 'sendmsg', to?.toString());
  if (error.code === 'EPERM' && lent.fds !== undefined) {
    error.message += ' (the receiver takes no descriptors; if it uses fdpass, set its maxFds)';
  }
  return error;
}
