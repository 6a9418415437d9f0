/** Owns the course of a run, the same for whatever is restarted: warm up, replace N times, cool down, drain, count. */
import { setTimeout as sleep } from 'node:timers/promises';
import type { Children } from './children';
import type { LoadProcess, LoadReport } from './load-process';
import type { DemoOptions } from './options';
import type { BreakOutcome, Defect, Restart } from './outcome';
import type { Say } from './progress';
import { kNearSwitchMs } from './stats';

/** Steady time before the first switch and after the last one, beyond what counts as near a switch. */
const kSteadyMs = 1200;
const kBetweenRestartsMs = 400;
/** The drain time of the servers and some more; whoever is left then has not drained. */
const kDrainMs = 10_000;
/** From the end of a process to the arrival of what it printed. */
const kLastLineMs = 1000;

const kDefects: readonly Defect[] = ['while it boots', 'on probation'];

export interface Started {
  readonly generation: number;
  readonly pid: number;
  readonly port: number;
}

/** Something that can be restarted: with fdpass, or naively. */
export interface Subject {
  readonly label: string;
  start(): Promise<Started>;
  /** Replaces the newest process; `index` counts from 0. */
  restart(index: number): Promise<Restart>;
  /** Lets a successor break. Absent where there is no such thing as going back. */
  breakSuccessor?(defect: Defect): Promise<BreakOutcome>;
  /** Ends what this process cannot end by a signal. */
  end?(): Promise<void>;
}

export interface RunResult {
  readonly label: string;
  readonly load: LoadReport;
  readonly wanted: number;
  readonly restarts: readonly Restart[];
  readonly breaks: readonly BreakOutcome[];
  /** Why the run ended early; null if it did not. */
  readonly stoppedBy: string | null;
  readonly generations: readonly number[];
  /** Of every process that served, in order of generation. null: it had to be killed, or died of a signal. */
  readonly exits: readonly { readonly pid: number; readonly code: number | null }[];
}

export interface Setting {
  readonly options: Pick<DemoOptions, 'restarts'>;
  readonly children: Children;
  /** Starts it. */
  load(port: number): LoadProcess;
  readonly say: Say;
  readonly signal: AbortSignal;
}

export async function runCourse(subject: Subject, setting: Setting): Promise<RunResult> {
  const { children, say, options } = setting;
  const first = await subject.start();
  say.event(`${subject.label}: listens on 127.0.0.1:${first.port}`, first);
  const load = setting.load(first.port);
  say.watch(load);
  try {
    const result = await replaceAll(subject, first, setting);
    const { restarts } = result;
    const served = [first, ...restarts];
    const last = restarts.at(-1) ?? first;
    const old = served.map(({ pid }) => pid).filter((pid) => pid !== last.pid);
    const left = await children.awaitExit(old, kDrainMs);
    say.event(`old processes gone: ${old.length - left.length} of ${old.length}`, last);
    const report = await load.finish(restarts.map(({ switchedAtMs }) => switchedAtMs));
    children.signal(last.pid, 'SIGTERM');
    return {
      ...result,
      label: subject.label,
      wanted: options.restarts,
      load: report,
      generations: served.map(({ generation }) => generation),
      exits: await Promise.all(served.map(({ pid }) => exitOf(pid, setting))),
    };
  } finally {
    say.watch(null);
    await load.end();
  }
}

/** A failed replacement ends the row but not the run: what was counted until then is still shown. */
async function replaceAll(
  subject: Subject,
  first: Started,
  { options, children, say, signal }: Setting,
): Promise<Pick<RunResult, 'restarts' | 'breaks' | 'stoppedBy'>> {
  const restarts: Restart[] = [];
  const breakBefore = Math.floor(options.restarts / 2);
  const breaks: BreakOutcome[] = [];
  let stoppedBy: string | null = null;
  say.event('warms up', first);
  await sleep(kNearSwitchMs + kSteadyMs, undefined, { signal });
  try {
    for (let index = 0; index < options.restarts; index++) {
      for (const defect of index === breakBefore ? kDefects : []) {
        const outcome = await subject.breakSuccessor?.(defect);
        if (outcome === undefined) continue;
        breaks.push(outcome);
        say.broken(outcome, restarts.at(-1) ?? first);
        await sleep(kBetweenRestartsMs, undefined, { signal });
      }
      const restart = await subject.restart(index);
      restarts.push(restart);
      say.restart(restart, { number: index + 1, of: options.restarts });
      await sleep(kBetweenRestartsMs, undefined, { signal });
    }
  } catch (error) {
    signal.throwIfAborted();
    stoppedBy = error instanceof Error ? error.message : String(error);
    say.event('STOPPED', restarts.at(-1) ?? first);
    say.quote([stoppedBy, ...children.otherLines()]);
  }
  await sleep(kNearSwitchMs + kSteadyMs - kBetweenRestartsMs, undefined, { signal });
  return { restarts, breaks, stoppedBy };
}

/** The last process was ended only now and may take its time; the others are long gone, their lines were read. */
async function exitOf(
  pid: number,
  { children, signal }: Setting,
): Promise<{ pid: number; code: number | null }> {
  const left = await children.awaitExit([pid], kDrainMs);
  if (left.length > 0) return { pid, code: null };
  const code = await children.events
    .waitFor(
      `the last line of process ${pid}`,
      (event) => (event.event === 'exit' && event.pid === pid ? event.code : undefined),
      { since: 0, timeoutMs: kLastLineMs, signal },
    )
    // It is gone and has not said so: a signal.
    .catch(() => null);
  return { pid, code };
}
