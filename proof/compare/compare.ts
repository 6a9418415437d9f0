/** Owns the comparison: the same load and as many restarts, against other ways to restart a server. */
import type { RunResult } from '../../demo/course';
import { count, milliseconds, renderTable } from '../../demo/table';
import { loadPackage } from '../packages';
import { type Run, runUnderCrowd } from '../stage';
import { type Way, ways } from './subjects';

/** Enough to see what each loses; more would only take longer. */
const kMostRestarts = 20;

export async function compare(run: Run, ours: RunResult): Promise<{ table: string; results: RunResult[] }> {
  const results: RunResult[] = [];
  const notes: string[] = [];
  const fewer = { ...run, restarts: Math.min(run.restarts, kMostRestarts) };
  const others: Way[] = [ways.cluster, ways.pm2, ways['reuse-port']];
  for (const { title: name, make, needs } of others) {
    if (needs !== undefined && loadPackage(`${needs}/package.json`) === undefined) {
      notes.push(`${name}: left out, ${needs} cannot be installed here`);
      continue;
    }
    try {
      results.push(await runUnderCrowd(fewer, make));
    } catch (error) {
      if (run.signal.aborted) throw error;
      notes.push(`${name}: left out, ${(error as Error).message}`);
    }
  }
  const rows = [ours, ...results].map(({ label, load, restarts, wanted, stoppedBy }) => {
    if (stoppedBy !== null) notes.push(`${label} stopped early: ${stoppedBy}`);
    return [
      label,
      `${restarts.length} of ${wanted}`,
      count(load.requests),
      count(load.failed),
      milliseconds(load.longestGapMs),
      milliseconds(load.nearSwitch.p99),
    ];
  });
  const errors = results.flatMap(({ label, load }) =>
    load.errors.map(({ text, times }) => `${label}: ${times} x ${text}`),
  );
  const header = ['', 'restarts', 'requests', 'failed', 'longest gap', 'p99 within 1 s of a switch'];
  return { results, table: [renderTable(header, rows), '', ...errors, ...notes].join('\n') };
}
