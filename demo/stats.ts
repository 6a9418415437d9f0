/** Owns the arithmetic of the demo: growable series of numbers, quantiles, and what is near a switch. */

/** What is within this time of a switch, before or after it, is not steady state. */
export const kNearSwitchMs = 1000;

const kFirstCapacity = 1 << 14;

/** A list of numbers that costs 8 bytes each, so that recording does not disturb what is measured. */
export class Series {
  #values = new Float64Array(kFirstCapacity);
  #length = 0;

  push(value: number): void {
    if (this.#length === this.#values.length) {
      const larger = new Float64Array(this.#values.length * 2);
      larger.set(this.#values);
      this.#values = larger;
    }
    this.#values[this.#length++] = value;
  }

  /** A view, valid until the next push. */
  view(): Float64Array {
    return this.#values.subarray(0, this.#length);
  }
}

export interface Distribution {
  readonly count: number;
  /** null where nothing was counted. */
  readonly p50: number | null;
  readonly p99: number | null;
  readonly longest: number | null;
}

export function distribution(values: ArrayLike<number>): Distribution {
  const sorted = Float64Array.from(values).sort();
  return {
    count: sorted.length,
    p50: nearestRank(sorted, 0.5),
    p99: nearestRank(sorted, 0.99),
    longest: nearestRank(sorted, 1),
  };
}

/** Splits latencies by whether the request was under way within kNearSwitchMs of a switch. */
export function splitBySwitch(
  startsMs: Float64Array,
  latenciesMs: Float64Array,
  switchesMs: readonly number[],
): { steady: Distribution; nearSwitch: Distribution } {
  const steady = new Series();
  const near = new Series();
  latenciesMs.forEach((latency, i) => {
    const start = startsMs[i] ?? 0;
    const isNear = switchesMs.some(
      (at) => start <= at + kNearSwitchMs && start + latency >= at - kNearSwitchMs,
    );
    (isNear ? near : steady).push(latency);
  });
  return { steady: distribution(steady.view()), nearSwitch: distribution(near.view()) };
}

/** The longest time in which nothing was answered. Recorded in order of completion, so neighbours are enough. */
export function longestGap(startsMs: Float64Array, latenciesMs: Float64Array): number | null {
  let longest: number | null = null;
  let previous: number | undefined;
  startsMs.forEach((start, i) => {
    const end = start + (latenciesMs[i] ?? 0);
    if (previous !== undefined) longest = Math.max(longest ?? 0, end - previous);
    previous = end;
  });
  return longest;
}

function nearestRank(sorted: Float64Array, q: number): number | null {
  return sorted[Math.max(0, Math.ceil(q * sorted.length) - 1)] ?? null;
}
