// Deadline: the one running time limit of a transaction.
import type { ProcessSeam } from './process';

export class Deadline {
  readonly #seam: ProcessSeam;
  readonly #expired: () => void;
  #cancel: () => void = () => {};

  constructor(seam: ProcessSeam, expired: () => void) {
    this.#seam = seam;
    this.#expired = expired;
  }

  /** Replaces the limit; undefined: none. */
  set(ms: number | undefined): void {
    this.#cancel();
    if (ms === undefined) return;
    const stopTimer = this.#seam.setTimer(ms, () => {
      // A process that was stopped, or busy for long, finds its timers due before it has read what came in
      // time. The poll phase of the loop lies between timers and immediates.
      const immediate = setImmediate(this.#expired);
      this.#cancel = () => clearImmediate(immediate);
    });
    this.#cancel = stopTimer;
  }
}
