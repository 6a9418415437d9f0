// LogPrinter: writes lines to a stream that may be slow. What it has no room for is left out, and counted in the stream.
import type { Writable } from 'node:stream';

/** What waits for a slow reader. */
const MAX_WAITING_BYTES = 1024 * 1024;

export class LogPrinter {
  readonly #out: Writable;
  readonly #remark: (dropped: number) => string;
  #dropped = 0;

  /** @param remark the line that tells how many were left out */
  constructor(out: Writable, remark: (dropped: number) => string) {
    this.#out = out;
    this.#remark = remark;
  }

  /** @param text ends with a newline */
  print(text: string): void {
    if (this.#out.writableLength > MAX_WAITING_BYTES) {
      if (this.#dropped === 0) this.#out.once('drain', () => this.#tell());
      this.#dropped++;
      return;
    }
    this.#tell();
    this.#out.write(text);
  }

  /** Lines that somebody else has left out. */
  missed(lines: number): void {
    if (lines > 0) this.print(this.#remark(lines));
  }

  #tell(): void {
    const dropped = this.#dropped;
    this.#dropped = 0;
    if (dropped > 0) this.#out.write(this.#remark(dropped));
  }
}
