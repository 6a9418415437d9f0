/** Owns the demo's clock: CLOCK_MONOTONIC in milliseconds, the same number in every process of this machine. */

export function monotonicMs(): number {
  return Number(process.hrtime.bigint()) / 1e6;
}
