// Outbox: messages that did not fit into a full peer, kept in order and sent when there is room.
import { constants } from 'node:os';
import { FdpassError, systemError } from '../base/errors';
import { MAX_QUEUED_BYTES, MAX_QUEUED_MESSAGES } from '../base/limits';
import type { UnixAddress } from '../fd/address';
import { binding } from '../native/binding';
import { KeptAttachment, type Lent } from './attachment';

const EAGAIN = -constants.errno.EAGAIN;

// An unconnected socket is always writable for poll(2), however full the destination is: waiting for
// POLLOUT would spin. So it is asked again after a while, soon at first.
const FIRST_RETRY_MS = 1;
const LAST_RETRY_MS = 20;

/** Destinations of which a pause is remembered. */
const MAX_PAUSES = 256;

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
  settle(error?: Error): void;
}

/** Those who wait for one destination. A full one does not hold up the others. */
interface Lane {
  to: UnixAddress | undefined;
  entries: Entry[];
  /** A trySend() was refused, and onDrain() is to follow. */
  refused: boolean;
  retryMs: number;
  timer?: NodeJS.Timeout;
}

/** What the outbox asks of its socket. */
export interface OutboxSocket {
  readonly fd: number;
  readonly highWaterMark: number;
  /** Asks for a call of flushConnected() as soon as the socket has room for the connected peer. */
  wantWritable(want: boolean): void;
  readonly ref: boolean;
  onDrain(): void;
}

export class Outbox {
  readonly #socket: OutboxSocket;
  readonly #lanes = new Map<string, Lane>();
  #messages = 0;
  #bytes = 0;
  /** The high-water mark was reached, and onDrain() is to follow when nothing waits. */
  #full = false;
  #needDrain = false;
  /** How long the destinations that refused trySend() lately are let alone: a sender that tries again finds it grown. */
  readonly #pauses = new Map<string, number>();
  #onEmpty: (() => void) | undefined;

  constructor(socket: OutboxSocket) {
    this.#socket = socket;
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
  trySend(message: Outgoing): boolean {
    const lane = this.#lanes.size === 0 ? undefined : this.#lanes.get(laneKey(message.to));
    if ((lane?.entries.length ?? 0) > 0 || !attempt(this.#socket.fd, message)) return false;
    if (this.#pauses.size > 0) this.#pauses.delete(laneKey(message.to));
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
   * Keeps a message until there is room. `settle` is called once: when it was sent, failed, or clear() was called.
   * @returns takes the message back, if it still waits
   * @throws ERR_FDPASS_QUEUE_FULL, and EMFILE of fcntl(2)
   */
  enqueue(message: Outgoing, settle: (error?: Error) => void): () => void {
    const { data, to, lent } = message;
    if (this.#messages >= MAX_QUEUED_MESSAGES || this.#bytes + data.length > MAX_QUEUED_BYTES) {
      throw new FdpassError(
        'ERR_FDPASS_QUEUE_FULL',
        `${this.#messages} messages (${this.#bytes} bytes) wait for a full peer already; await send() before sending more`,
      );
    }
    const entry: Entry = { data, size: data.length, attachment: new KeptAttachment(lent), settle };
    const lane = this.#lane(to);
    lane.entries.push(entry);
    this.#messages++;
    this.#bytes += data.length;
    if (this.#messages >= this.#socket.highWaterMark) this.#full = this.#needDrain = true;
    this.#await(lane);
    return () => {
      if (lane.entries.includes(entry)) this.#remove(lane, entry);
    };
  }

  /** Calls back once nothing waits any more, now if nothing does. Not after clear(). */
  whenEmpty(callback: () => void): void {
    if (this.#messages === 0) callback();
    else this.#onEmpty = callback;
  }

  /** There is room on the connected socket. */
  flushConnected(): void {
    const lane = this.#lanes.get(laneKey(undefined));
    if (lane !== undefined) this.#flush(lane);
  }

  /** The socket closes: everyone who waits is told. */
  clear(error: Error): void {
    this.#onEmpty = undefined;
    this.#full = this.#needDrain = false;
    for (const lane of [...this.#lanes.values()]) {
      lane.refused = false;
      for (const entry of [...lane.entries]) {
        this.#remove(lane, entry);
        entry.settle(error);
      }
      this.#removeLane(lane);
    }
  }

  updateRef(): void {
    for (const { timer } of this.#lanes.values()) this.#socket.ref ? timer?.ref() : timer?.unref();
  }

  #lane(to: UnixAddress | undefined): Lane {
    const key = laneKey(to);
    let lane = this.#lanes.get(key);
    if (lane === undefined) {
      lane = { to, entries: [], refused: false, retryMs: this.#pauses.get(key) ?? FIRST_RETRY_MS };
      this.#lanes.set(key, lane);
    }
    return lane;
  }

  #await(lane: Lane): void {
    if (lane.to === undefined) {
      this.#socket.wantWritable(true);
      return;
    }
    if (lane.timer !== undefined) return;
    lane.timer = setTimeout(() => {
      delete lane.timer;
      lane.retryMs = Math.min(lane.retryMs * 2, LAST_RETRY_MS);
      if (lane.refused) this.#rememberPause(lane);
      this.#flush(lane);
    }, lane.retryMs);
    if (!this.#socket.ref) lane.timer.unref();
  }

  #rememberPause({ to, retryMs }: Lane): void {
    if (this.#pauses.size >= MAX_PAUSES) this.#pauses.clear();
    this.#pauses.set(laneKey(to), retryMs);
  }

  #flush(lane: Lane): void {
    for (let entry = lane.entries[0]; entry !== undefined; entry = lane.entries[0]) {
      let error: Error | undefined;
      try {
        if (entry.data.length !== entry.size) throw detachedError();
        const message = { data: entry.data, to: lane.to, lent: entry.attachment.lend() };
        if (!attempt(this.#socket.fd, message)) break;
        lane.retryMs = FIRST_RETRY_MS;
        this.#pauses.delete(laneKey(lane.to));
      } catch (failure) {
        error = failure as Error;
      }
      this.#remove(lane, entry);
      entry.settle(error);
    }
    if (lane.entries.length > 0) this.#await(lane);
    else this.#removeLane(lane);
  }

  #remove(lane: Lane, entry: Entry): void {
    lane.entries.splice(lane.entries.indexOf(entry), 1);
    this.#messages--;
    this.#bytes -= entry.size;
    entry.attachment.close();
    if (this.#messages === 0) {
      this.#onEmpty?.();
      this.#onEmpty = undefined;
    }
    if (lane.entries.length === 0) this.#removeLane(lane);
  }

  // Not one that took a new message while its last one was settled.
  #removeLane(lane: Lane): void {
    if (lane.entries.length > 0 || this.#lanes.get(laneKey(lane.to)) !== lane) return;
    clearTimeout(lane.timer);
    this.#lanes.delete(laneKey(lane.to));
    if (lane.to === undefined) this.#socket.wantWritable(false);
    // A destination that stays full does not keep it from those that tried another.
    if ((!lane.refused && !this.#full) || (this.#full && this.#messages > 0)) return;
    this.#full = this.#needDrain = false;
    this.#socket.onDrain();
  }
}

/** Bytes that wait were transferred to another thread, which leaves an empty array behind. */
export function detachedError(): FdpassError {
  return new FdpassError(
    'ERR_FDPASS_DETACHED',
    'bytes were transferred to another thread while they waited to be sent; send a copy',
  );
}

// latin1 keeps every byte apart; an empty key is the connected peer (no address has an empty sun_path to send to).
function laneKey(to: UnixAddress | undefined): string {
  return to === undefined ? '' : to.sunPath.toString('latin1');
}

function attempt(fd: number, { data, to, lent }: Outgoing): boolean {
  const sent = binding.send(fd, data, to?.sunPath, lent.fds, lent.credentials);
  if (sent >= 0) return true;
  if (sent === EAGAIN) return false;
  throw sendError(sent, lent, to);
}

/** @param errno negative */
export function sendError(errno: number, lent: Lent, to?: UnixAddress): Error {
  const error = systemError(errno, 'sendmsg', to?.toString());
  if (error.code === 'EPERM' && lent.fds !== undefined) {
    error.message += ' (the receiver takes no descriptors; if it uses fdpass, set its maxFds)';
  }
  return error;
}
