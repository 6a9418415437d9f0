/** Owns the demo as a command: runs fdpass, then the naive way if asked to, prints the table, decides the exit code. */
import { mkdtemp, rm } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { Children } from './children';
import { type RunResult, runCourse, type Setting, type Subject } from './course';
import { FdpassSubject } from './fdpass';
import { LoadProcess } from './load-process';
import { NaiveSubject } from './naive';
import { type DemoOptions, kHelp, parseOptions, UsageError } from './options';
import { Say } from './progress';
import { summaryJson, summaryTable } from './summary';
import { type Fault, judge } from './verdict';

/** What a shell reports for a command that SIGINT or SIGTERM ended. */
const kSignalExitCodes = { SIGINT: 130, SIGTERM: 143 } as const;

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(kHelp);
    return 0;
  }
  if (process.platform !== 'linux') {
    process.stderr.write(
      `demo: the handoff needs Linux; this is ${process.platform}. Try it in a container.\n`,
    );
    return 1;
  }
  const progress = options.json ? process.stderr : process.stdout;
  const say = new Say((line) => progress.write(`${line}\n`));
  const abort = new AbortController();
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => abort.abort(new Stopped(name)));

  const fdpass = await runWith(options, { say, signal: abort.signal }, (setting, dir) => {
    return new FdpassSubject(setting, path.join(dir, 'control.sock'));
  });
  const naive = options.naive
    ? await runWith(options, { say, signal: abort.signal }, (setting) => new NaiveSubject(setting))
    : null;
  const faults = judge(fdpass);
  if (options.json) printJson(faults, fdpass, naive);
  else printTable(faults, naive ? [fdpass, naive] : [fdpass]);
  return faults.length === 0 ? 0 : 1;
}

/** One run with processes and a directory of its own; neither outlives it, however it ends. */
async function runWith(
  options: DemoOptions,
  { say, signal }: Pick<Setting, 'say' | 'signal'>,
  subjectIn: (setting: Setting, dir: string) => Subject,
): Promise<RunResult> {
  const children = new Children();
  const dir = await mkdtemp(path.join(os.tmpdir(), 'fdpass-demo-'));
  try {
    const load = (port: number): LoadProcess => LoadProcess.ofDemo(port, options.connections);
    const setting = { options, children, load, say, signal };
    return await runCourse(subjectIn(setting, dir), setting);
  } catch (error) {
    if (!(error instanceof Stopped))
      for (const line of children.otherLines()) process.stderr.write(`  | ${line}\n`);
    throw error;
  } finally {
    await children.endAll();
    await rm(dir, { recursive: true, force: true });
  }
}

function printTable(faults: readonly Fault[], runs: readonly RunResult[]): void {
  const lines = ['', summaryTable(runs), ''];
  for (const { label, load } of runs.slice(1)) {
    for (const { text, times } of load.errors) lines.push(`${label}: ${times} x ${text}`);
  }
  for (const { what, lookAt } of faults) lines.push(`FAILED  ${what}`, `        look at: ${lookAt}`);
  if (faults.length === 0)
    lines.push('No request failed, every restart happened, every old process drained and exited.');
  process.stdout.write(`${lines.join('\n')}\n`);
}

function printJson(faults: readonly Fault[], fdpass: RunResult, naive: RunResult | null): void {
  const result = {
    ok: faults.length === 0,
    faults,
    node: process.version,
    cpus: os.availableParallelism(),
    fdpass: summaryJson(fdpass),
    naive: naive && summaryJson(naive),
  };
  process.stdout.write(`${JSON.stringify(result, null, 2)}\n`);
}

class Stopped extends Error {
  readonly exitCode: number;
  constructor(signal: keyof typeof kSignalExitCodes) {
    super(`stopped by ${signal}`);
    this.exitCode = kSignalExitCodes[signal];
  }
}

function failure(error: unknown): number {
  const message = error instanceof Error ? error.message : String(error);
  process.stderr.write(`demo: ${message}\n`);
  if (error instanceof UsageError) process.stderr.write('see: npm run demo -- --help\n');
  if (error instanceof UsageError) return 2;
  return error instanceof Stopped ? error.exitCode : 1;
}

// Until the end is reached: an event loop that runs dry half-way is no success.
process.exitCode = 1;
main()
  .catch(failure)
  .then((code) => {
    process.exitCode = code;
  });
