// FakePool: a service of this process that answers commands as a pool does; what its workers do is up to the test.
import path from 'node:path';
import { Handoff } from '#fdpass/handoff/handoff';
import { readOptions } from '#fdpass/handoff/options';
import type { LogLine, LogQuery, PoolHooks, RollProgress } from '#fdpass/handoff/pool-commands';
import type { PoolStatus, RollReceipt, WorkerStatus } from '#fdpass/handoff/pool-status';
import { type Child, type Ended, start } from './child';
import { bin } from './cli';
import { within } from './stage';
import { type Ending, tmpDir } from './tmp-dir';

const program = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);

export function workerStatus(worker: number, more: Partial<WorkerStatus> = {}): WorkerStatus {
  return { worker, generation: 1, pid: 1_000 + worker, state: 'serving', restarts: 0, ...more };
}

export function logLine(line: string, more: Partial<LogLine> = {}): LogLine {
  return { time: 0, worker: 1, generation: 1, pid: 1_001, stream: 'stdout', line, ...more };
}

export class FakePool implements PoolHooks {
  readonly address: string;
  workers: WorkerStatus[] = [];
  progress: RollProgress | undefined;
  lines: LogLine[] = [];
  readonly followers = new Set<(line: LogLine) => void>();
  /** Called when somebody follows. */
  onFollow = (): void => {};
  /** Of the roll that is under way. */
  step = (): void => {};
  onRoll: () => Promise<RollReceipt> = () => Promise.resolve({ replaced: [], ms: 1 });
  onScale = (size: number | 'max'): Promise<number> => Promise.resolve(size === 'max' ? 8 : size);
  readonly #t: Ending;

  static async open(t: Ending): Promise<FakePool> {
    const pool = new FakePool(t, path.join(tmpDir(t), 'control'));
    const handoff = await Handoff.begin(readOptions({ name: 'shop', address: pool.address }), pool);
    const staying = setInterval(() => {}, 60_000); // a control socket keeps no process
    t.after(async () => {
      clearInterval(staying);
      await handoff.close();
    });
    await handoff.ready();
    return pool;
  }

  private constructor(t: Ending, address: string) {
    this.#t = t;
    this.address = address;
  }

  get logs(): PoolHooks['logs'] {
    return this.keepsLogs ? this.#logs : undefined;
  }

  changing(): 'rolling' | undefined {
    return this.progress && 'rolling';
  }

  status(): PoolStatus {
    const { workers, progress } = this;
    const roll = progress && { done: progress.done, total: progress.total, ageMs: progress.ageMs };
    const size = workers.length;
    const listeners = [{ name: 'web', address: '127.0.0.1:80' }];
    return {
      balance: 'least',
      kind: 'processes',
      size,
      listeners,
      workers,
      ...(roll === undefined ? {} : { roll }),
    };
  }

  rolling(): RollProgress | undefined {
    return this.progress;
  }

  roll(onStep: () => void): Promise<RollReceipt> {
    this.step = onStep;
    return this.onRoll();
  }

  abort(): Promise<RollProgress | undefined> {
    const stood = this.progress;
    this.progress = undefined;
    return Promise.resolve(stood);
  }

  scale(size: number | 'max'): Promise<number> {
    return this.onScale(size);
  }

  keepsLogs = true;
  readonly #logs = {
    recent: ({ lines, worker }: Pick<LogQuery, 'lines' | 'worker'>): LogLine[] =>
      this.lines
        .filter((line) => worker === undefined || line.worker === worker)
        .slice(-lines || this.lines.length),
    follow: (onLine: (line: LogLine) => void): (() => void) => {
      this.followers.add(onLine);
      this.onFollow();
      return () => this.followers.delete(onLine);
    },
  };

  say(...lines: LogLine[]): void {
    for (const line of lines) for (const follower of this.followers) follower(line);
  }

  startCli(...args: string[]): Child {
    return start(this.#t, process.execPath, [program, ...args, '--address', this.address]);
  }

  async run(...args: string[]): Promise<Ended> {
    return await within(`fdpass ${args.join(' ')}`, () => this.startCli(...args).ended);
  }
}
