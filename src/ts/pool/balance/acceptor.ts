// Acceptor: takes connections from a listener in batches, as numbers.
import { constants } from 'node:os';
import { systemError } from '../../base/errors';
import type { Fd } from '../../fd/fd';
import { binding } from '../../native/binding';
import { READABLE, Readiness } from '../../sockets/readiness';
import { MAX_CONNECTIONS_PER_MESSAGE } from './balancer';

/** Connections of one turn of the loop, so that a flood leaves time for the links. 64 take 0.2 ms. */
const BATCH = MAX_CONNECTIONS_PER_MESSAGE;

/** A process without free descriptors tries again after this; until then the queue is the kernel's. */
const SHORTAGE_PAUSE_MS = 100;

const { EAGAIN, ECONNABORTED } = constants.errno;

export interface AcceptorHandlers {
  /** The handler owns the first `count`, and does not keep the array. */
  onBatch(numbers: Int32Array, count: number): void;
  /** EMFILE and the like: once, until one is accepted again. */
  onError(error: Error): void;
}

/** Does not accept until it is told to. */
export class Acceptor {
  readonly #listener: Fd;
  readonly #handlers: AcceptorHandlers;
  readonly #readiness: Readiness;
  readonly #numbers = new Int32Array(BATCH);
  #accepting = false;
  #pause: NodeJS.Timeout | undefined;
  #short = false;

  /** @param listener lent until close() @throws SystemError EMFILE */
  constructor(listener: Fd, handlers: AcceptorHandlers) {
    this.#listener = listener;
    this.#handlers = handlers;
    this.#readiness = new Readiness(listener.fd, () => this.#accept());
  }

  setAccepting(accepting: boolean): void {
    this.#accepting = accepting;
    this.#update();
  }

  close(): void {
    this.#accepting = false;
    clearTimeout(this.#pause);
    this.#pause = undefined;
    this.#readiness.close();
  }

  #update(): void {
    if (this.#accepting && this.#pause === undefined) this.#readiness.want(READABLE);
    else this.#readiness.drop(READABLE);
  }

  #accept(): void {
    const count = binding.accept(this.#listener.fd, this.#numbers);
    if (count === -EAGAIN || count === -ECONNABORTED) return; // another holder was faster; its client has left
    if (count < 0) {
      this.#pauseAccepting(systemError(count, 'accept'));
      return;
    }
    this.#short = false;
    this.#handlers.onBatch(this.#numbers, count);
  }

  // The listener stays readable, so watching it would spin.
  #pauseAccepting(error: Error): void {
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#update();
    }, SHORTAGE_PAUSE_MS);
    this.#update();
    const told = this.#short;
    this.#short = true;
    if (!told) this.#handlers.onError(error);
  }
}
