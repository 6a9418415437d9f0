// BackOff: how long to wait before a worker that has crashed is started again. Pure.

export interface BackOffTimes {
  /** The first pause, in milliseconds. */
  minMs: number;
  /** The longest one. */
  maxMs: number;
  /** A worker that has served for so long has not failed at its start. */
  stableMs: number;
}

export class BackOff {
  readonly #times: BackOffTimes;
  #next: number;

  constructor(times: BackOffTimes) {
    this.#times = times;
    this.#next = times.minMs;
  }

  /** @param servedMs from the ready() of the worker to its end; 0 if it was never ready @returns the pause */
  pause(servedMs: number): number {
    const { minMs, maxMs, stableMs } = this.#times;
    if (servedMs >= stableMs) this.#next = minMs;
    const pause = this.#next;
    this.#next = Math.min(maxMs, pause * 2);
    return pause;
  }

  /** Whoever asks for a new start has mended it. */
  reset(): void {
    this.#next = this.#times.minMs;
  }
}
