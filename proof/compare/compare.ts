/** Owns the comparison: the same load and as many restarts, against other ways to restart a server. */
import type { RunResult, Setting, Subject } from '../../demo/course';
import { count, milliseconds, renderTable } from '../../demo/table';
import { loadPackage } from '../packages';
import { type Run, runUnderCrowd } from '../stage';
import { ClusterSubject } from './cluster';
import { Pm2Subject } from './pm2';
import { ReusePortSubject } from './reuse-port';

/** Enough to see what each loses; more would only take longer. */
const kMostRestarts = 20;

const others: readonly [
  name: string,
  subjectOf: (setting: Setting, directory: string) => Subject,
  needs?: string,
][] = [
  ['cluster, rolling', (setting) => new ClusterSubject(setting)],
  ['PM2 reload', (setting, directory) => new Pm2Subject(setting, directory), 'pm2'],
  ['SO_REUSEPORT', (setting) => new ReusePortSubject(setting)],
];

export async function compare(run: Run, ours: RunResult): Promise<{ table: string; results: RunResult[] }> {
  const results: RunResult[] = [];
  const notes: string[] = [];
  const fewer = { ...run, restarts: Math.min(run.restarts, kMostRestarts) };
  for (const [name, subjectOf, needs] of others) {
    if (needs !== undefined && loadPackage(`${needs}/package.json`) === undefined) {
      notes.push(`${name}: left out, ${needs} cannot be installed here`);
      continue;
    }
    try {
      results.push(await runUnderCrowd(fewer, subjectOf));
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
