/** Owns what every proof runs on: processes and a directory that do not outlive it, progress, an end by ^C, an exit code. */
import { mkdtemp, rm } from 'node:fs/promises';
import * as os from 'node:os';
import * as path from 'node:path';
import { Children } from '../demo/children';
import { type RunResult, runCourse, type Setting, type Subject } from '../demo/course';
import { LoadProcess } from '../demo/load-process';
import { Say } from '../demo/progress';
import type { Mix } from './clients';
import { UsageError } from './options';

export interface Run {
  restarts: number;
  mix: Mix;
  /** One line at a time. */
  write: (line: string) => void;
  signal: AbortSignal;
}

/** Runs a subject on a stage of its own: a directory for sockets, and children that end with it. */
export async function onStage<T>(
  run: Pick<Run, 'write' | 'signal'>,
  play: (children: Children, directory: string) => Promise<T>,
): Promise<T> {
  const children = new Children();
  const directory = await mkdtemp(path.join(os.tmpdir(), 'fdpass-proof-'));
  try {
    return await play(children, directory);
  } catch (error) {
    if (!run.signal.aborted) for (const line of children.otherLines()) run.write(`  | ${line}`);
    throw error;
  } finally {
    await children.endAll();
    await rm(directory, { recursive: true, force: true });
  }
}

/** The demo's course with the crowd of proof/clients.ts as the load. */
export async function runUnderCrowd(
  run: Run,
  subjectOf: (setting: Setting, directory: string) => Subject,
): Promise<RunResult> {
  return await onStage(run, async (children, directory) => {
    const setting: Setting = {
      options: { restarts: run.restarts },
      children,
      load: (port) => new LoadProcess(path.join(__dirname, 'load.js'), [String(port), run.mix]),
      say: new Say(run.write),
      signal: run.signal,
    };
    const subject = subjectOf(setting, directory);
    try {
      return await runCourse(subject, setting);
    } finally {
      await subject.end?.();
    }
  });
}

/** Runs a command to its exit code: 2 for a wrong command line, 130 and 143 after SIGINT and SIGTERM. */
export function runCommand(name: string, main: (signal: AbortSignal) => Promise<number>): void {
  const abort = new AbortController();
  let stoppedWith: number | undefined;
  for (const [signal, code] of [
    ['SIGINT', 130],
    ['SIGTERM', 143],
  ] as const) {
    process.once(signal, () => {
      stoppedWith = code;
      abort.abort(new Error(`stopped by ${signal}`));
    });
  }
  process.exitCode = 1; // until the end is reached
  void main(abort.signal)
    .catch((error: Error) => {
      process.stderr.write(`${name}: ${error.message}\n`);
      if (error instanceof UsageError) process.stderr.write(`see: npm run ${name} -- --help\n`);
      return error instanceof UsageError ? 2 : (stoppedWith ?? 1);
    })
    .then((code) => {
      process.exitCode = code;
    });
}

export function machine(): string {
  const [cpu] = os.cpus();
  return `${os.availableParallelism()} processors (${cpu?.model.trim()}), Linux ${os.release()}, Node ${process.version}, load ${os.loadavg()[0]?.toFixed(1)}`;
}
