// How late a timer of 1 ms is while something else keeps the loop busy.
import { percentile } from './percentile.mjs';

const kPeriodMs = 1;

export class Lateness {
  #values = [];
  #timer;

  /** Counts while `isMeasuring()`. */
  constructor(isMeasuring) {
    let due = 0;
    const next = () => {
      due = performance.now() + kPeriodMs;
      this.#timer = setTimeout(() => {
        if (isMeasuring()) this.#values.push(performance.now() - due);
        next();
      }, kPeriodMs);
    };
    next();
  }

  report() {
    clearTimeout(this.#timer);
    return {
      lateP50Ms: percentile(this.#values, 0.5),
      lateP99Ms: percentile(this.#values, 0.99),
      lateMostMs: percentile(this.#values, 1),
    };
  }
}
