// Rates: what workers do in a second, from two looks at them. Pure.
import type { WorkerStatus } from '../handoff/pool-status';
import type { Rates } from './worker-table';

/** By what it did since the look before; at the first one, since it was started. */
export class RateMeter {
  #before = new Map<string, WorkerStatus>();

  /** @returns the rates of each of them */
  look(workers: readonly WorkerStatus[]): (worker: WorkerStatus) => Rates {
    const before = this.#before;
    this.#before = new Map(workers.map((worker) => [keyOf(worker), worker]));
    return (worker) => ratesSince(before.get(keyOf(worker)), worker);
  }
}

function keyOf({ worker, generation }: WorkerStatus): string {
  return `${worker}.${generation}`;
}

// A worker's own age is the clock: the figures may be some time on their way.
function ratesSince(before: WorkerStatus | undefined, now: WorkerStatus): Rates {
  const seconds = ((now.ageMs ?? 0) - (before?.ageMs ?? 0)) / 1_000;
  if (seconds <= 0) return {};
  const rate = (name: 'accepted' | 'requests' | 'cpuMs'): number | undefined => {
    const value = now[name];
    return value === undefined ? undefined : Math.max(0, value - (before?.[name] ?? 0)) / seconds;
  };
  const cpuMs = rate('cpuMs');
  return {
    acceptedPerSecond: rate('accepted'),
    requestsPerSecond: rate('requests'),
    cpu: cpuMs === undefined ? undefined : cpuMs / 1_000,
  };
}
