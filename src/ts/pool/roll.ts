// Roll: the workers of a pool are replaced, some at a time.
import { FdpassError } from '../base/errors';
import type { PoolStatus, Replacement, RollReceipt } from '../handoff/pool-status';
import type { ProcessSeam } from '../handoff/process';
import type { Slot } from './slot';

export class Roll {
  readonly #slots: readonly Slot[];
  readonly #atOnce: number;
  readonly #seam: ProcessSeam;
  readonly #since: number;
  readonly #replaced: Replacement[] = [];
  #calledOff: string | undefined;

  constructor(slots: readonly Slot[], atOnce: number, seam: ProcessSeam) {
    this.#slots = [...slots];
    this.#atOnce = atOnce;
    this.#seam = seam;
    this.#since = seam.now();
  }

  get progress(): NonNullable<PoolStatus['roll']> {
    return { done: this.#replaced.length, total: this.#slots.length, ageMs: this.#seam.now() - this.#since };
  }

  /** @throws ERR_POOL_WORKER, ERR_POOL_ABORTED: the workers that were not replaced serve on */
  async run(): Promise<RollReceipt> {
    for (let next = 0; next < this.#slots.length; next += this.#atOnce) {
      const some = this.#slots.slice(next, next + this.#atOnce);
      const settled = await Promise.allSettled(some.map((slot) => slot.replace()));
      for (const one of settled) if (one.status === 'fulfilled') this.#replaced.push(one.value);
      if (this.#calledOff !== undefined)
        throw new FdpassError('ERR_POOL_ABORTED', `the roll was ended: ${this.#calledOff}`);
      const failed = settled.find((one) => one.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    }
    return { replaced: this.#replaced, ms: this.#seam.now() - this.#since };
  }

  /** Ends the worker that is being started; run() rejects when that has ended. */
  callOff(reason: string): void {
    this.#calledOff ??= reason;
    for (const slot of this.#slots) slot.callOff(reason);
  }
}
