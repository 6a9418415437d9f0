// LogBook: what the workers of a pool have written, as lines. The latest ones are kept, within a bound.
import type { LogLine, LogQuery, LogSource } from '../handoff/pool-commands';
import { LineSplitter } from './line-splitter';

/** Whose output it is. */
export interface LogWriter {
  write(stream: LogLine['stream'], chunk: Buffer): void;
  /** It has ended: lines without an end are complete. */
  end(): void;
}

/** Of all lines that are kept: a screen of each worker, many times over. */
const KEPT_BYTES = 1024 * 1024;

/** What a line takes besides its text: an object with six fields, and a string. Measured in Node 20, about. */
const LINE_OVERHEAD = 128;

export class LogBook implements LogSource {
  readonly #maxBytes: number;
  readonly #now: () => number;
  readonly #followers = new Set<(line: LogLine) => void>();
  /** Those before #first have been dropped already. */
  #lines: LogLine[] = [];
  #first = 0;
  #bytes = 0;

  constructor({ maxBytes = KEPT_BYTES, now = Date.now }: { maxBytes?: number; now?: () => number } = {}) {
    this.#maxBytes = maxBytes;
    this.#now = now;
  }

  /** @param pid is asked for each line: a wrapper may have started the worker */
  open({ worker, generation }: { worker: number; generation: number }, pid: () => number): LogWriter {
    const splitter = (stream: LogLine['stream']) =>
      new LineSplitter((line) =>
        this.#add({ time: this.#now(), worker, generation, pid: pid(), stream, line }),
      );
    const streams = { stdout: splitter('stdout'), stderr: splitter('stderr') };
    return {
      write: (stream, chunk) => streams[stream].write(chunk),
      end() {
        streams.stdout.end();
        streams.stderr.end();
      },
    };
  }

  recent({ lines, worker }: Pick<LogQuery, 'lines' | 'worker'>): LogLine[] {
    const found: LogLine[] = [];
    for (let at = this.#lines.length - 1; at >= this.#first && found.length < lines; at--) {
      const line = this.#lines[at] as LogLine;
      if (worker === undefined || line.worker === worker) found.push(line);
    }
    return found.reverse();
  }

  follow(onLine: (line: LogLine) => void): () => void {
    this.#followers.add(onLine);
    return () => void this.#followers.delete(onLine);
  }

  #add(line: LogLine): void {
    this.#lines.push(line);
    this.#bytes += sizeOf(line);
    while (this.#bytes > this.#maxBytes && this.#first < this.#lines.length - 1)
      this.#bytes -= sizeOf(this.#lines[this.#first++] as LogLine);
    if (this.#first > this.#lines.length / 2) {
      this.#lines = this.#lines.slice(this.#first);
      this.#first = 0;
    }
    for (const tell of this.#followers) tell(line);
  }
}

// A string takes a byte or two for each character.
function sizeOf({ line }: LogLine): number {
  return 2 * line.length + LINE_OVERHEAD;
}
