// The workers of a pool as a table: of `status`, and with rates of `top`.
import type { PoolStatus, WorkerStatus } from '../handoff/pool-status';
import { formatTable } from './table';
import { formatBytes, formatMs } from './units';

/** Of one worker, between two looks at it. */
export interface Rates {
  acceptedPerSecond?: number | undefined;
  requestsPerSecond?: number | undefined;
  /** Of one processor, 1 is all of it. */
  cpu?: number | undefined;
}

type Cell = string | undefined;

interface Column {
  head: string;
  of(worker: WorkerStatus, rates: Rates): Cell;
}

const WHO: readonly Column[] = [
  { head: 'WORKER', of: ({ worker, generation }) => `${worker}.${generation}` },
  { head: 'PID', of: pidOf },
  { head: 'STATE', of: ({ state }) => state },
  { head: 'AGE', of: ({ ageMs }) => told(ageMs, formatMs) },
  { head: 'CONN', of: ({ connections }) => told(connections, String) },
];

const SO_FAR: readonly Column[] = [
  { head: 'ACCEPTED', of: ({ accepted }) => told(accepted, String) },
  { head: 'REQUESTS', of: ({ requests }) => told(requests, String) },
];

const PER_SECOND: readonly Column[] = [
  { head: 'ACC/S', of: (_, { acceptedPerSecond }) => told(acceptedPerSecond, formatRate) },
  { head: 'REQ/S', of: (_, { requestsPerSecond }) => told(requestsPerSecond, formatRate) },
];

const LOAD: readonly Column[] = [
  { head: 'LAG', of: ({ loopLagMs }) => told(loopLagMs, (ms) => `${Math.round(ms)} ms`) },
  { head: 'MEMORY', of: ({ rssBytes }) => told(rssBytes, formatBytes) },
];

const CPU_TIME: Column = { head: 'CPU', of: ({ cpuMs }) => told(cpuMs, formatMs) };
const CPU_SHARE: Column = {
  head: 'CPU',
  of: (_, { cpu }) => told(cpu, (share) => `${Math.round(share * 100)} %`),
};
const RESTARTS: Column = { head: 'RESTARTS', of: ({ restarts }) => String(restarts) };

/** What there is so far. */
export function workerTable({ workers }: PoolStatus): string {
  return tableOf([...WHO, ...SO_FAR, ...LOAD, CPU_TIME, RESTARTS], workers, () => ({}));
}

export function rateTable({ workers }: PoolStatus, ratesOf: (worker: WorkerStatus) => Rates): string {
  return tableOf([...WHO, ...PER_SECOND, ...LOAD, CPU_SHARE, RESTARTS], workers, ratesOf);
}

/** The last crash of each place, one line each. */
export function crashLines({ workers }: PoolStatus): string[] {
  const places = new Map(workers.map((worker) => [worker.worker, worker]));
  return [...places.values()].flatMap(({ worker, lastExit, restarts }) => {
    if (lastExit === undefined) return [];
    const times = restarts === 1 ? 'once' : `${restarts} times`;
    return [`worker ${worker}: ${lastExit.reason}, ${formatMs(lastExit.agoMs)} ago; started again ${times}`];
  });
}

export function rollLine({ roll }: PoolStatus): string | undefined {
  if (roll === undefined) return undefined;
  return `a roll is under way for ${formatMs(roll.ageMs)}: ${roll.done} of ${roll.total} workers are new`;
}

function tableOf(
  columns: readonly Column[],
  workers: readonly WorkerStatus[],
  ratesOf: (worker: WorkerStatus) => Rates,
): string {
  const rows = workers.map((worker) => {
    const rates = ratesOf(worker);
    return columns.map((column) => column.of(worker, rates));
  });
  return formatTable(
    columns.map(({ head }) => head),
    rows,
  );
}

function pidOf({ pid, threadId }: WorkerStatus): Cell {
  if (pid === 0) return undefined;
  return threadId === undefined ? String(pid) : `${pid}:${threadId}`;
}

function told(value: number | undefined, format: (value: number) => string): Cell {
  return value === undefined ? undefined : format(value);
}

function formatRate(rate: number): string {
  return rate < 10 ? rate.toFixed(1) : String(Math.round(rate));
}
