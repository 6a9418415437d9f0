/** Owns how runs are summed up: the same rows for the table and for --json. */
import type { RunResult } from './course';
import type { Defect } from './outcome';
import { distribution } from './stats';
import { count, milliseconds, renderTable } from './table';

type Row = readonly [name: string, cell: (run: RunResult) => string];

const kRows: readonly Row[] = [
  ['requests', ({ load }) => count(load.requests)],
  ['failed requests', ({ load }) => count(load.failed)],
  [
    'p50 / p99 / longest, steady',
    ({ load }) => milliseconds(load.steady.p50, load.steady.p99, load.steady.longest),
  ],
  [
    'p50 / p99 / longest, within 1 s of a switch',
    ({ load: { nearSwitch } }) => milliseconds(nearSwitch.p50, nearSwitch.p99, nearSwitch.longest),
  ],
  ['longest time without an answer', ({ load }) => milliseconds(load.longestGapMs)],
  ['restarts', ({ restarts, wanted }) => `${restarts.length} of ${wanted}`],
  ['start to ready, median / longest', (run) => milliseconds(...medianAndMax(startsToReady(run)))],
  [
    'ready to old stopped accepting, median / longest',
    (run) => milliseconds(...medianAndMax(readiesToStopped(run))),
  ],
  [
    'generations that answered',
    ({ load, generations }) => `${answered(load, generations)} of ${generations.length}`,
  ],
  [
    'processes that drained and exited with 0',
    ({ exits }) => `${exits.filter(({ code }) => code === 0).length} of ${exits.length}`,
  ],
  ['after a successor broke while it booted', (run) => breakCell(run, 'while it boots')],
  ['after a successor broke on probation', (run) => breakCell(run, 'on probation')],
];

export function summaryTable(runs: readonly RunResult[]): string {
  return renderTable(
    ['', ...runs.map(({ label }) => label)],
    kRows.map(([name, cell]) => [name, ...runs.map(cell)]),
  );
}

/** Everything, unrounded, for --json. */
export function summaryJson(run: RunResult): object {
  const { type: _, ...load } = run.load;
  const [startToReadyMedianMs, startToReadyMaxMs] = medianAndMax(startsToReady(run));
  const [readyToStoppedMedianMs, readyToStoppedMaxMs] = medianAndMax(readiesToStopped(run));
  return {
    ...run,
    load,
    startToReady: { medianMs: startToReadyMedianMs, maxMs: startToReadyMaxMs },
    readyToStopped: { medianMs: readyToStoppedMedianMs, maxMs: readyToStoppedMaxMs },
  };
}

function startsToReady({ restarts }: RunResult): number[] {
  return restarts.map(({ startToReadyMs }) => startToReadyMs);
}

function readiesToStopped({ restarts }: RunResult): number[] {
  return restarts.map(({ readyToStoppedMs }) => readyToStoppedMs).filter((value) => value !== null);
}

function medianAndMax(values: readonly number[]): [number | null, number | null] {
  const { p50, longest } = distribution(values);
  return [p50, longest];
}

function answered(load: RunResult['load'], generations: readonly number[]): number {
  return generations.filter((generation) => load.perGeneration[generation]).length;
}

function breakCell({ breaks }: RunResult, defect: Defect): string {
  const outcome = breaks.find((one) => one.defect === defect);
  if (outcome === undefined) return '-';
  if (!outcome.servedOn) return 'NOBODY SERVED';
  return defect === 'while it boots' ? 'old one served on' : 'old one served again';
}
