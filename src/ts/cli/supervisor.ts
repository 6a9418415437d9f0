// Supervisor: the life of `fdpass run`: starts the pool, does what signals and changed files ask for, and ends with the
// exit code that a shell expects.
import { constants } from 'node:os';
import path from 'node:path';
import type { PoolStatus, WorkerState, WorkerStatus } from '../handoff/pool-status';
import type { RollCounts } from '../pool/metrics';
import type { WorkerError } from '../pool/worker-error';
import type { Announcer } from './announcer';
import { EXIT } from './command';
import { startFailureCode } from './program';
import type { RunPool, RunWorker } from './run-pool';
import { formatMs } from './units';
import { FileWatch } from './watch-files';

export interface SupervisorOptions {
  /** Of the service. */
  name: string;
  /** Not begun yet; again after a start that has failed. */
  makePool(): RunPool;
  /** Files and folders; undefined: changes do not matter. */
  watch: readonly string[] | undefined;
  announcer: Announcer;
  /** Where signals come from: process. */
  signals: NodeJS.EventEmitter;
  kill(pid: number, signal: NodeJS.Signals): void;
  /** Ends what a worker that has ended leaves behind. */
  tidy(worker: RunWorker): void;
  /** What a worker has to do to be ready, for people. */
  readiness: string;
  /** Default SLOW_MS. */
  slowMs?: number;
  /** Ends this process now, whatever still runs. */
  exit(code: number): void;
}

/** The pool ends. A second one is for those who cannot wait. */
const STOPPING = ['SIGTERM', 'SIGINT'] as const;

/** For the program: it may have a meaning of its own for them. */
const FORWARDED = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'] as const;

/** The program is there: one that boots may have no handler yet, and would be ended. */
const SERVES: readonly WorkerState[] = ['serving', 'probation', 'leaving'];

/** A start that takes longer is talked about: somebody looks at an empty screen. */
const SLOW_MS = 5_000;

export class Supervisor {
  readonly #options: SupervisorOptions;
  readonly #undo: (() => void)[] = [];
  #pool: RunPool | undefined;
  readonly #rolls: RollCounts = { committed: 0, failed: 0, rolledback: 0 };
  #serving = false;
  /** Workers that another supervisor had started, and that have come while this one starts. */
  #kept = 0;
  #rolling = false;
  /** Somebody wants a roll behind the one that is under way. */
  #again = false;
  #stopping: NodeJS.Signals | undefined;
  /** Somebody could not wait: the exit code for that. */
  #forced: number | undefined;
  #changed = false;
  /** A start that has failed waits for a change of its files, or the end. */
  #retry: () => void = () => {};

  constructor(options: SupervisorOptions) {
    this.#options = options;
  }

  /** @returns the exit code, when all has ended */
  async run(): Promise<number> {
    this.#listen();
    try {
      for (;;) {
        this.#changed = false;
        const code = await this.#begin();
        if (code === undefined || this.#stopping !== undefined) break;
        if (this.#options.watch === undefined) return code;
        await this.#change();
        if (this.#stopping !== undefined) break;
      }
      await this.#asked();
      return await this.#stopped();
    } finally {
      for (const undo of this.#undo.splice(0)) undo();
    }
  }

  /** Before the first start there is nothing to tell. */
  report(): { pool: PoolStatus; rolls: RollCounts; generation: number } {
    const none: PoolStatus = { kind: 'processes', size: 0, listeners: [], workers: [] };
    return {
      pool: this.#pool?.status() ?? none,
      rolls: this.#rolls,
      generation: this.#pool?.generation ?? 1,
    };
  }

  /** @returns undefined: the workers serve; else why they do not */
  async #begin(): Promise<number | undefined> {
    const { makePool, announcer } = this.#options;
    const pool = makePool();
    this.#pool = pool;
    this.#hear(pool);
    const slow = setTimeout(() => this.#saySlow(pool), this.#options.slowMs ?? SLOW_MS).unref();
    try {
      await pool.begin();
      this.#serving = true;
      const { size, listeners, workers } = pool.status();
      announcer.say('serving', servingOf(size, workers));
      if (this.#kept > 0) this.#sayKept(counted(this.#kept), this.#kept === 1);
      const addresses = listeners.map(({ address }) => address).join(', ');
      if (addresses !== '') announcer.say('listening', `${this.#options.name} listens on ${addresses}`);
      return undefined;
    } catch (error) {
      if (this.#stopping === undefined)
        announcer.say('failed', `the start has failed: ${firstLine(error)}${this.#helpFor(error)}`);
      return exitCodeOf(error);
    } finally {
      clearTimeout(slow);
    }
  }

  #saySlow(pool: RunPool): void {
    const { announcer, readiness, slowMs = SLOW_MS } = this.#options;
    const starting = pool.status().workers.filter(({ state }) => state === 'starting').length;
    if (starting === 0 || this.#stopping !== undefined) return;
    const who = workersOf(starting, 'is', 'are');
    announcer.say('slow', `${who} not ready after ${formatMs(slowMs)}: a worker is when ${readiness}`);
  }

  /** Their program may be older than the files are. */
  #sayKept(who: string, one: boolean): void {
    const { announcer, name } = this.#options;
    const serve = one ? 'serves on, as it was started' : 'serve on, as they were started';
    const replaces = `fdpass restart ${name} replaces ${one ? 'it' : 'them'}`;
    announcer.say('kept', `${who} of an earlier supervisor ${serve}: ${replaces}`);
  }

  /** It may be the wrong kind of program, or another one of that name. */
  #helpFor(error: unknown): string {
    const { code, exitCode, listenError } = error as Partial<WorkerError>;
    if (code === 'ERR_HANDOFF_BUSY') return '; give another --name, if that is another service';
    // One that could not listen says so itself.
    if (exitCode !== 0 || typeof listenError === 'string') return '';
    return `, before it was ready: a worker is when ${this.#options.readiness}`;
  }

  #hear(pool: RunPool): void {
    const { announcer } = this.#options;
    pool.logs.follow((line) => announcer.line(line));
    pool.on('crash', (error, pauseMs) =>
      announcer.say('crash', `${firstLine(error)}; again in ${formatPause(pauseMs)}`),
    );
    pool.on('ready', (worker) => {
      if (this.#serving) announcer.say('ready', `${called(worker)} serves`);
    });
    pool.on('kept', (worker) => {
      if (this.#serving) this.#sayKept(called(worker), true);
      else this.#kept++;
    });
    pool.on('exit', (worker, reason, told) => {
      if (told) announcer.say('exit', `${called(worker)} has left: ${reason}`);
      this.#options.tidy(worker);
    });
    pool.on('trouble', (error) => announcer.say('trouble', error.message));
    pool.on('rolled', ({ replaced, ms }) => {
      this.#rolls.committed++;
      announcer.say('rolled', `${workersOf(replaced.length, 'was', 'were')} replaced in ${formatMs(ms)}`);
    });
    pool.on('unrolled', (error) => {
      this.#rolls[(error as Partial<WorkerError>).served ? 'rolledback' : 'failed']++;
      if (this.#stopping === undefined)
        announcer.say('failed', `the roll has stopped, the old workers serve on: ${firstLine(error)}`);
    });
    pool.on('superseded', ({ pid }) => {
      announcer.say('superseded', `process ${pid} is the supervisor from here, and has the workers`);
      this.#resolveAsked();
    });
    pool.on('rolledback', (error) =>
      announcer.say('rolledback', `the new supervisor was no good: ${firstLine(error)}`),
    );
    pool.on('aborted', (error) =>
      announcer.say('aborted', `another supervisor could not take over: ${firstLine(error)}`),
    );
  }

  #listen(): void {
    for (const signal of STOPPING) this.#on(signal, () => this.#stop(signal));
    this.#on('SIGHUP', () => void this.#roll('SIGHUP'));
    for (const signal of FORWARDED) this.#on(signal, () => this.#toWorkers(signal, SERVES));
    const { watch, announcer } = this.#options;
    if (watch === undefined) return;
    const files = new FileWatch(watch, {
      changed: (changed) => this.#onChange(changed),
      failed: (error) => announcer.say('unwatched', error.message),
    });
    this.#undo.push(() => files.close());
  }

  #on(signal: NodeJS.Signals, does: () => void): void {
    const { signals } = this.#options;
    signals.on(signal, does);
    this.#undo.push(() => signals.off(signal, does));
  }

  #stop(signal: NodeJS.Signals): void {
    const { announcer, exit } = this.#options;
    if (this.#stopping !== undefined) {
      this.#toWorkers('SIGKILL');
      this.#forced = 128 + constants.signals[signal];
      exit(this.#forced);
      return;
    }
    this.#stopping = signal;
    announcer.say(
      'stopping',
      `${signal}: the workers let their connections end; once more ends them at once`,
    );
    this.#retry();
    void this.#pool?.close().catch(() => {}); // #stopped() tells
    this.#resolveAsked();
  }

  #resolveAsked: () => void = () => {};

  #asked(): Promise<void> {
    if (this.#stopping !== undefined) return Promise.resolve();
    return new Promise((resolve) => {
      this.#resolveAsked = resolve;
    });
  }

  async #stopped(): Promise<number> {
    const { announcer } = this.#options;
    try {
      await this.#pool?.close();
      return this.#forced ?? EXIT.ok;
    } catch (error) {
      announcer.say('failed', `the end has failed: ${firstLine(error)}`);
      return EXIT.failed;
    }
  }

  #onChange(files: readonly string[]): void {
    const [first = '', ...others] = files.map((file) => path.relative('', file));
    const more = others.length > 0 ? ` and ${others.length} more` : '';
    const what = `${first}${more} changed`;
    if (this.#serving) void this.#roll(what);
    else this.#options.announcer.say('changed', what);
    this.#changed = true;
    this.#retry();
  }

  /** Of a file, since the start began; or the end is asked for. */
  #change(): Promise<void> {
    if (this.#changed) return Promise.resolve();
    this.#options.announcer.say('waiting', 'waits for a change');
    return new Promise((resolve) => {
      this.#retry = resolve;
    });
  }

  async #roll(why: string): Promise<void> {
    const { announcer } = this.#options;
    if (!this.#serving || this.#stopping !== undefined) return;
    announcer.say(
      'rolling',
      this.#rolling ? `${why}: once more, behind the roll that is under way` : `${why}: new workers`,
    );
    this.#again = this.#rolling;
    if (this.#rolling) return;
    this.#rolling = true;
    do {
      this.#again = false;
      await (this.#pool as RunPool).restart().catch(() => {}); // 'unrolled' tells
    } while (this.#again && this.#stopping === undefined);
    this.#rolling = false;
  }

  /** @param states undefined: to all */
  #toWorkers(signal: NodeJS.Signals, states?: readonly WorkerState[]): void {
    for (const { pid, threadId, state } of this.#pool?.status().workers ?? [])
      if (pid !== 0 && threadId === undefined && (states?.includes(state) ?? true))
        this.#options.kill(pid, signal);
  }
}

/** During a takeover a place may have two. */
function servingOf(size: number, workers: readonly WorkerStatus[]): string {
  const serving = workers.filter(({ state }) => state === 'serving' || state === 'probation');
  const count = new Set(serving.map(({ worker }) => worker)).size;
  const all = workersOf(size, 'serves', 'serve');
  return count < size ? `${count} of ${all}` : all;
}

function called({ worker, pid }: RunWorker): string {
  return pid === 0 ? `worker ${worker}` : `worker ${worker} (pid ${pid})`;
}

function workersOf(count: number, one: string, several: string): string {
  return `${counted(count)} ${count === 1 ? one : several}`;
}

function counted(count: number): string {
  return count === 1 ? '1 worker' : `${count} workers`;
}

function formatPause(ms: number): string {
  return ms < 1_000 ? `${Math.round(ms)} ms` : formatMs(ms);
}

/** Behind it there may be the end of the worker's stderr, which was shown as it came. */
function firstLine(error: unknown): string {
  return (error as Error).message.split('\n', 1)[0] as string;
}

/** The program's own, as a shell tells it. A program that ends well, and does not serve, has failed. */
function exitCodeOf(error: unknown): number {
  const { code, exitCode, signal, cause } = error as NodeJS.ErrnoException & {
    exitCode?: number | null;
    signal?: NodeJS.Signals | null;
  };
  if (signal !== undefined && signal !== null) return 128 + constants.signals[signal];
  if (exitCode !== undefined && exitCode !== null && exitCode !== 0) return exitCode;
  const { code: why } = (cause ?? {}) as NodeJS.ErrnoException;
  return startFailureCode(code) ?? startFailureCode(why) ?? EXIT.failed;
}
