/** Owns the demo's end of the load process: its messages, its start, its latest figures, its report. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import * as path from 'node:path';
import type { Distribution } from './stats';

export interface LoadProgress {
  readonly type: 'progress';
  readonly atMs: number;
  readonly requests: number;
  readonly failed: number;
}

export interface LoadReport {
  readonly type: 'report';
  readonly requests: number;
  readonly failed: number;
  /** The most frequent reasons, and how often each. */
  readonly errors: readonly { readonly text: string; readonly times: number }[];
  /** By the kind of client. */
  readonly kinds: Readonly<Record<string, { readonly requests: number; readonly failed: number }>>;
  /** Pipelined requests that were sent again: behind a `Connection: close`, and behind an end that came before it was read. */
  readonly resent?: { readonly announced: number; readonly unannounced: number };
  /** Clients that could not take part. */
  readonly missing?: readonly string[];
  readonly perGeneration: Readonly<Record<string, number>>;
  readonly steady: Distribution;
  readonly nearSwitch: Distribution;
  readonly longestGapMs: number | null;
}

export interface LoadFinish {
  readonly type: 'finish';
  readonly switchesMs: readonly number[];
}

/** Rates are taken over this many progress messages: one second. */
const kRateWindow = 4;

export class LoadProcess {
  readonly #child: ChildProcess;
  readonly #recent: LoadProgress[] = [];
  readonly #report: Promise<LoadReport>;

  static ofDemo(port: number, connections: number): LoadProcess {
    return new LoadProcess(path.join(__dirname, 'load.js'), [String(port), String(connections)]);
  }

  /** @param program one that calls runLoad() */
  constructor(program: string, args: readonly string[]) {
    this.#child = fork(program, args, { execArgv: [] });
    this.#report = new Promise((resolve, reject) => {
      this.#child.on('message', (message: LoadProgress | LoadReport) => {
        if (message.type === 'report') resolve(message);
        else this.#remember(message);
      });
      this.#child.on('error', reject);
      this.#child.on('exit', (code, signal) =>
        reject(new Error(`the load process ended: ${signal ?? `code ${code}`}`)),
      );
    });
    // finish() reports it; before that nobody may be waiting, which is no reason to end the demo without cleaning up.
    this.#report.catch(() => {});
  }

  get failed(): number {
    return this.#recent.at(-1)?.failed ?? 0;
  }

  get requestsPerSecond(): number {
    const [first, last] = [this.#recent[0], this.#recent.at(-1)];
    if (first === undefined || last === undefined || first === last) return 0;
    return ((last.requests - first.requests) / (last.atMs - first.atMs)) * 1000;
  }

  /** Lets the requests under way end and asks for the figures; latencies are split at `switchesMs`. */
  async finish(switchesMs: readonly number[]): Promise<LoadReport> {
    if (this.#child.connected) this.#child.send({ type: 'finish', switchesMs } satisfies LoadFinish);
    return this.#report;
  }

  async end(): Promise<void> {
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const exited = once(this.#child, 'exit');
    this.#child.kill('SIGKILL');
    await exited;
  }

  #remember(progress: LoadProgress): void {
    this.#recent.push(progress);
    if (this.#recent.length > kRateWindow + 1) this.#recent.shift();
  }
}
