// The figures of a pool in the text format of Prometheus, version 0.0.4. Pure.
// https://prometheus.io/docs/instrumenting/exposition_formats/
import type { PoolStatus, WorkerState, WorkerStatus } from '../handoff/pool-status';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

/** How the rolling restarts of this process have ended. */
export interface RollCounts {
  committed: number;
  failed: number;
  rolledback: number;
}

export interface PoolReport {
  name: string;
  pool: PoolStatus;
  rolls: RollCounts;
  /** Of the process that holds the pool. */
  primary: { pid: number; generation: number; rssBytes: number; cpuMs: number; ageMs: number };
}

const STATES: readonly WorkerState[] = ['starting', 'probation', 'serving', 'leaving', 'waiting'];

const COUNTED = ['accepted', 'requests', 'cpuMs'] as const;
type Counts = Partial<Record<(typeof COUNTED)[number], number>>;

/** One place of the pool: during a roll two workers are in it. */
interface Place {
  worker: number;
  now: readonly WorkerStatus[];
  /** Of all workers that were in it as long as somebody asks. */
  counts: Counts;
}

interface Family {
  name: string;
  type: 'gauge' | 'counter';
  help: string;
  samples: { labels: Readonly<Record<string, string | number>>; value: number | undefined }[];
}

/**
 * A worker's counters begin at 0 with each worker, and those of a place do not: two workers of one place are one series, and
 * it never falls.
 */
export class PoolMetrics {
  /** What workers that have gone had counted, for each place. */
  readonly #gone = new Map<number, Counts>();
  #before: readonly WorkerStatus[] = [];

  text(report: PoolReport): string {
    const places = this.#places(report.pool.workers);
    return families(report, places).map(familyText).join('');
  }

  #places(workers: readonly WorkerStatus[]): Place[] {
    for (const worker of this.#before) if (!workers.some((one) => same(one, worker))) this.#keep(worker);
    this.#before = workers;
    const numbers = new Set(workers.map(({ worker }) => worker));
    return [...numbers].map((worker) => {
      const now = workers.filter((one) => one.worker === worker);
      return { worker, now, counts: sum([...now, this.#gone.get(worker) ?? {}]) };
    });
  }

  #keep(worker: WorkerStatus): void {
    this.#gone.set(worker.worker, sum([worker, this.#gone.get(worker.worker) ?? {}]));
  }
}

function same(one: WorkerStatus, other: WorkerStatus): boolean {
  return one.worker === other.worker && one.generation === other.generation;
}

function sum(all: readonly Counts[]): Counts {
  const added = COUNTED.map((name) => [name, add(all.map((one) => one[name]))] as const);
  return Object.fromEntries(added.filter(([, value]) => value !== undefined));
}

/** undefined: nobody has said anything. */
function add(values: readonly (number | undefined)[]): number | undefined {
  const told = values.filter((value) => value !== undefined);
  return told.length === 0 ? undefined : told.reduce((total, value) => total + value, 0);
}

function largest(values: readonly (number | undefined)[]): number | undefined {
  const told = values.filter((value) => value !== undefined);
  return told.length === 0 ? undefined : Math.max(...told);
}

/** To a millionth. */
function seconds(ms: number | undefined): number | undefined {
  return ms === undefined ? undefined : Math.round(ms * 1_000) / 1e6;
}

function families(
  { name: pool, pool: status, rolls, primary }: PoolReport,
  places: readonly Place[],
): Family[] {
  const { workers, balance, kind, size, roll } = status;
  const ofPool = (value: number, labels: Record<string, string> = {}) => ({
    labels: { pool, ...labels },
    value,
  });
  const each = (value: (place: Place) => number | undefined) =>
    places.map((place) => ({ labels: { pool, worker: place.worker }, value: value(place) }));
  const now = (figure: 'connections' | 'rssBytes') => (place: Place) =>
    add(place.now.map((one) => one[figure]));
  // A thread tells what its process takes: that is the primary.
  const processes = (value: (place: Place) => number | undefined) =>
    kind === 'processes' ? each(value) : [];
  const ofPrimary = (value: number | undefined) => ({ labels: { pool, worker: 'primary' }, value });
  return [
    gauge('fdpass_pool_info', 'What the pool is.', [
      ofPool(1, { kind, ...(balance === undefined ? {} : { balance }) }),
    ]),
    gauge(
      'fdpass_pool_workers',
      'Workers by state.',
      STATES.map((state) => ofPool(workers.filter((one) => one.state === state).length, { state })),
    ),
    gauge('fdpass_pool_workers_wanted', 'Workers that the pool shall have.', [ofPool(size)]),
    gauge('fdpass_pool_generation', 'Counts the processes that have held the pool.', [
      ofPool(primary.generation),
    ]),
    gauge('fdpass_pool_roll_in_progress', '1 during a rolling restart.', [
      ofPool(roll === undefined ? 0 : 1),
    ]),
    counter(
      'fdpass_pool_rolls_total',
      'Rolling restarts by outcome.',
      Object.entries(rolls).map(([outcome, count]) => ofPool(count, { outcome })),
    ),
    gauge('fdpass_worker_connections', 'Open connections.', each(now('connections'))),
    counter(
      'fdpass_worker_connections_accepted_total',
      'Connections so far.',
      each(({ counts }) => counts.accepted),
    ),
    counter(
      'fdpass_worker_http_requests_total',
      'Answered HTTP/1 requests so far.',
      each(({ counts }) => counts.requests),
    ),
    gauge(
      'fdpass_worker_event_loop_lag_seconds',
      'The longest delay of the event loop within the last second.',
      each(({ now }) => seconds(largest(now.map(({ loopLagMs }) => loopLagMs)))),
    ),
    counter(
      'fdpass_worker_restarts_total',
      'How often the place was filled again after a crash.',
      each(({ now }) => largest(now.map(({ restarts }) => restarts))),
    ),
    gauge('process_resident_memory_bytes', 'Resident memory size in bytes.', [
      ofPrimary(primary.rssBytes),
      ...processes(now('rssBytes')),
    ]),
    counter('process_cpu_seconds_total', 'Total user and system CPU time spent in seconds.', [
      ofPrimary(seconds(primary.cpuMs)),
      ...processes(({ counts }) => seconds(counts.cpuMs)),
    ]),
  ];
}

function gauge(name: string, help: string, samples: Family['samples']): Family {
  return { name, type: 'gauge', help, samples };
}

function counter(name: string, help: string, samples: Family['samples']): Family {
  return { name, type: 'counter', help, samples };
}

/** '' if nobody has said anything of it yet. */
function familyText({ name, type, help, samples }: Family): string {
  const told = samples.filter(({ value }) => value !== undefined);
  if (told.length === 0) return '';
  const lines = told.map(({ labels, value }) => `${name}{${labelText(labels)}} ${value}\n`);
  return `# HELP ${name} ${help}\n# TYPE ${name} ${type}\n${lines.join('')}`;
}

function labelText(labels: Readonly<Record<string, string | number>>): string {
  return Object.entries(labels)
    .map(([name, value]) => `${name}="${escapeLabel(String(value))}"`)
    .join(',');
}

function escapeLabel(value: string): string {
  return value.replace(/[\\"\n]/g, (one) => (one === '\n' ? '\\n' : `\\${one}`));
}
