// Screen: a terminal that shows one page which changes. It gives the terminal back as it was, however the process ends.
import { constants } from 'node:os';

/** Alternate screen, without a cursor; and back. XTerm control sequences, DECSET 1049 and 25 */
const ENTER = '\x1b[?1049h\x1b[?25l';
const LEAVE = '\x1b[?25h\x1b[?1049l';

/** What ends the process by default; SIGKILL nobody can do anything about. */
const SIGNALS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'SIGQUIT'] as const;

/** The last two are Ctrl-C and Ctrl-D, which come as characters: the terminal is raw. */
const QUIT = ['q', 'Q', '\x03', '\x04'];

export class Screen {
  readonly #out: NodeJS.WriteStream;
  readonly #keys: NodeJS.ReadStream;
  #page = '';
  #open = true;
  readonly #leave = (): void => this.close();
  readonly #redraw = (): void => this.#draw();
  readonly #onKeys = (keys: Buffer): void => {
    if (QUIT.some((key) => keys.includes(key))) this.#onQuit();
  };
  readonly #onSignal = (signal: NodeJS.Signals): void => {
    this.close();
    process.exit(128 + constants.signals[signal]);
  };
  readonly #onQuit: () => void;

  /** @param onQuit somebody has pressed q or Ctrl-C */
  constructor(out: NodeJS.WriteStream, keys: NodeJS.ReadStream, onQuit: () => void) {
    this.#out = out;
    this.#keys = keys;
    this.#onQuit = onQuit;
    process.once('exit', this.#leave);
    for (const signal of SIGNALS) process.on(signal, this.#onSignal);
    out.on('resize', this.#redraw);
    if (keys.isTTY) keys.setRawMode(true).on('data', this.#onKeys).resume();
    out.write(ENTER);
  }

  show(page: string): void {
    this.#page = page;
    this.#draw();
  }

  close(): void {
    if (!this.#open) return;
    this.#open = false;
    process.off('exit', this.#leave);
    for (const signal of SIGNALS) process.off(signal, this.#onSignal);
    this.#out.off('resize', this.#redraw);
    if (this.#keys.isTTY) this.#keys.off('data', this.#onKeys).setRawMode(false).pause();
    this.#out.write(LEAVE);
  }

  #draw(): void {
    if (!this.#open) return;
    // Some terminals do not say how large they are.
    const [columns, rows] = [this.#out.columns || 80, this.#out.rows || 24];
    const lines = this.#page.split('\n').slice(0, rows);
    this.#out.write(`\x1b[H${lines.map((line) => `${line.slice(0, columns)}\x1b[K`).join('\r\n')}\x1b[J`);
  }
}
