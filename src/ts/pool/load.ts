// Load: how many connections a worker has of those that this process passes to it.
import type { FdLike } from '../fd/lend';
import type { Target } from './balance/balancer';

/** How the connections get there. */
export interface Carrier {
  trySend(message: Buffer, fds: readonly FdLike[]): boolean;
  onceRoom(callback: () => void): void;
}

/** That it has not told of yet: a worker that is stuck shall not collect them. */
const MAX_ON_THEIR_WAY = 512;

export class Load implements Target {
  readonly worker: number;
  readonly #onRoom: () => void;
  #carrier: Carrier | undefined;
  #sent = 0;
  #received = 0;
  #open = 0;
  #waits = false;

  /** @param onRoom what was refused may be tried again */
  constructor(worker: number, onRoom: () => void) {
    this.worker = worker;
    this.#onRoom = onRoom;
  }

  get open(): number {
    return this.#open + this.#sent - this.#received;
  }

  /** A new connection to the worker: both sides count from zero. Undefined: there is none. */
  carryBy(carrier: Carrier | undefined): void {
    this.#carrier = carrier;
    this.#sent = 0;
    this.#received = 0;
    this.#waits = false;
  }

  /** As the worker tells. */
  report(received: number, open: number): void {
    this.#received = received;
    this.#open = open;
    this.#onRoom();
  }

  trySend(message: Buffer, fds: readonly number[]): boolean {
    if (this.#carrier === undefined || this.#sent - this.#received >= MAX_ON_THEIR_WAY) return false;
    if (!this.#carrier.trySend(message, fds)) {
      this.#waitForRoom(this.#carrier);
      return false;
    }
    this.#sent += fds.length;
    return true;
  }

  #waitForRoom(carrier: Carrier): void {
    if (this.#waits) return;
    this.#waits = true;
    carrier.onceRoom(() => {
      if (carrier !== this.#carrier) return;
      this.#waits = false;
      this.#onRoom();
    });
  }
}
