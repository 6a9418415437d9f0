/** Owns the progress lines: time, what happened, generation, pid, requests per second, failed so far. */
import { monotonicMs } from './clock';
import type { LoadProcess } from './load-process';
import type { BreakOutcome, Restart } from './outcome';
import { milliseconds } from './table';

export interface Who {
  readonly generation: number;
  readonly pid: number;
}

const kWhatColumns = 50;

export class Say {
  readonly #write: (line: string) => void;
  readonly #startMs = monotonicMs();
  #load: LoadProcess | null = null;

  constructor(write: (line: string) => void) {
    this.#write = write;
    this.#line('time', 'what', ['generation', 'pid', 'requests/s', 'failed']);
  }

  /** Rates and failures come from here from now on. */
  watch(load: LoadProcess | null): void {
    this.#load = load;
  }

  event(what: string, { generation, pid }: Who): void {
    const rate = this.#load ? this.#load.requestsPerSecond.toFixed(0) : '';
    const seconds = `${((monotonicMs() - this.#startMs) / 1000).toFixed(2)} s`;
    this.#line(seconds, what, [generation, pid, rate, this.#load?.failed ?? ''].map(String));
  }

  restart(restart: Restart, { number, of }: { number: number; of: number }): void {
    const switched =
      restart.readyToStoppedMs === null ? '' : `, switch ${milliseconds(restart.readyToStoppedMs)}`;
    this.event(
      `${number}/${of} ${restart.how}: boot ${milliseconds(restart.startToReadyMs)}${switched}`,
      restart,
    );
  }

  broken({ defect, servedOn, code, message, stderr }: BreakOutcome, who: Who): void {
    const serves = defect === 'while it boots' ? 'the old one serves on' : 'the old one serves again';
    this.event(`broken ${defect}; ${servedOn ? serves : 'NOBODY SERVES'}`, who);
    this.#write(`${' '.repeat(11)}${code}: ${message}`);
    if (stderr !== '') this.quote(stderr.trimEnd().split('\n'));
  }

  quote(lines: readonly string[]): void {
    for (const line of lines) this.#write(`${' '.repeat(11)}| ${line}`);
  }

  #line(time: string, what: string, figures: readonly string[]): void {
    const cells = figures.map((figure) => figure.padStart(10)).join(' ');
    this.#write(`${time.padStart(9)}  ${what.padEnd(kWhatColumns)} ${cells}`);
  }
}
