// LineSplitter: the lines of a stream of bytes. Pure.
import { MAX_LINE_BYTES } from '../handoff/pool-commands';

const NEWLINE = 0x0a;
const RETURN = 0x0d;

export class LineSplitter {
  readonly #onLine: (line: string) => void;
  /** The beginning of a line whose end has not come. */
  #parts: Buffer[] = [];
  #bytes = 0;

  /** @param onLine is given each line without its end; one of more than MAX_LINE_BYTES in pieces */
  constructor(onLine: (line: string) => void) {
    this.#onLine = onLine;
  }

  write(chunk: Buffer): void {
    let from = 0;
    for (;;) {
      const end = chunk.indexOf(NEWLINE, from);
      if (end === -1) break;
      this.#add(chunk.subarray(from, end));
      this.#flush(withoutReturn(this.#take()));
      from = end + 1;
    }
    // A copy: what a line waits for may be long in coming, and its memory is a small part of the pool's.
    if (from < chunk.length) this.#add(Buffer.from(chunk.subarray(from)));
  }

  /** The last line may have no end. */
  end(): void {
    if (this.#bytes > 0) this.#flush(this.#take());
  }

  #add(part: Buffer): void {
    let rest = part;
    while (this.#bytes + rest.length > MAX_LINE_BYTES) {
      const all = Buffer.concat([this.#take(), rest]);
      const cut = wholeCharacters(all, MAX_LINE_BYTES);
      this.#flush(all.subarray(0, cut));
      rest = all.subarray(cut);
    }
    this.#parts.push(rest);
    this.#bytes += rest.length;
  }

  #take(): Buffer {
    const line = this.#parts.length === 1 ? (this.#parts[0] as Buffer) : Buffer.concat(this.#parts);
    this.#parts = [];
    this.#bytes = 0;
    return line;
  }

  #flush(line: Buffer): void {
    this.#onLine(line.toString());
  }
}

function withoutReturn(line: Buffer): Buffer {
  return line.at(-1) === RETURN ? line.subarray(0, -1) : line;
}

/** @returns where to cut so that no character of UTF-8 is: at `max` or up to three bytes before. utf-8(7) */
function wholeCharacters(bytes: Buffer, max: number): number {
  let cut = max;
  while (cut > max - 3 && isContinuation(bytes[cut])) cut--;
  return isContinuation(bytes[cut]) ? max : cut;
}

function isContinuation(byte: number | undefined): boolean {
  return byte !== undefined && (byte & 0xc0) === 0x80;
}
