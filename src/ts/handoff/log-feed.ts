// LogFeed: lines of a log on their way to one reader. One that is slow misses lines and is told how many; it makes nobody
// wait, and nothing grows.
import type { LogLine } from './pool-commands';

/** What one frame tells. */
export interface LogFrame extends Record<string, unknown> {
  /** Lines that were left out before these. */
  dropped?: number;
  lines?: LogLine[];
}

interface Entry {
  line: LogLine;
  /** Of its JSON. */
  bytes: number;
  dropped: number;
}

/** JSON of the lines of one frame, in bytes: below MAX_PAYLOAD_BYTES, and above the longest line. */
const FRAME_BYTES = 56 * 1024;

/** JSON of the lines that wait for a slow reader, in bytes. */
const WAITING_BYTES = 512 * 1024;

export class LogFeed {
  readonly #deliver: (frame: LogFrame) => Promise<void>;
  readonly #waiting: Entry[] = [];
  #bytes = 0;
  /** Behind the last one that waits. */
  #dropped = 0;
  #sending: Promise<void> | undefined;

  /** @param deliver resolves when the reader has room for more; must not reject */
  constructor(deliver: (frame: LogFrame) => Promise<void>) {
    this.#deliver = deliver;
  }

  /** @param kept it is in memory anyhow, and may wait */
  push(line: LogLine, { kept = false } = {}): void {
    const bytes = Buffer.byteLength(JSON.stringify(line));
    if (!kept && this.#bytes + bytes > WAITING_BYTES) {
      this.#dropped++;
      return;
    }
    this.#waiting.push({ line, bytes, dropped: this.#dropped });
    this.#bytes += bytes;
    this.#dropped = 0;
    // Later: what comes in one turn goes in one frame.
    this.#sending ??= Promise.resolve().then(() => this.#send());
  }

  /** Says that this process lives, to a reader that has nothing else to hear. */
  beat(): void {
    this.#sending ??= this.#deliver({}).then(() => this.#send());
  }

  /** Resolves when all has gone. */
  async flush(): Promise<void> {
    await this.#sending;
  }

  async #send(): Promise<void> {
    while (this.#waiting.length > 0) await this.#deliver(this.#take());
    const dropped = this.#dropped;
    this.#dropped = 0;
    this.#sending = undefined;
    if (dropped > 0) void this.#deliver({ dropped });
  }

  #take(): LogFrame {
    const dropped = this.#waiting[0]?.dropped ?? 0;
    let count = 0;
    let bytes = 0;
    for (const entry of this.#waiting) {
      if (count > 0 && (entry.dropped > 0 || bytes + entry.bytes > FRAME_BYTES)) break;
      bytes += entry.bytes;
      count++;
    }
    this.#bytes -= bytes;
    const lines = this.#waiting.splice(0, count).map(({ line }) => line);
    return dropped > 0 ? { dropped, lines } : { lines };
  }
}
