// LoadReport: tells the primary how many of the connections that it passes have come, and how many of them are open. It
// passes the next one to whoever has the fewest, so it hears of what has changed soon; but not more often than it can use,
// for to read a report takes as long as to pass some connections.
import type { Bond } from './bond';

/** From one report to the next. The primary knows what it has sent meanwhile. */
const PAUSE_MS = 5;

export class LoadReport {
  readonly #bond: Pick<Bond, 'trySend'>;
  readonly #open: () => number;
  #received = 0;
  #due = false;
  #last = 0;

  /** @param open connections that were passed, and have not closed */
  constructor(bond: Pick<Bond, 'trySend'>, open: () => number) {
    this.#bond = bond;
    this.#open = open;
  }

  /** So many have come. */
  received(count: number): void {
    this.#received += count;
    this.changed();
  }

  /** Some have come, or closed. */
  changed(): void {
    if (this.#due) return;
    this.#due = true;
    if (performance.now() - this.#last >= PAUSE_MS) setImmediate(this.#send);
    else setTimeout(this.#send, PAUSE_MS);
  }

  /** A new primary counts from zero. */
  restart(): void {
    this.#received = 0;
    this.changed();
  }

  /** What is due is sent now: so that it is not behind what is sent next. */
  flush(): void {
    if (this.#due) this.#send();
  }

  // Both figures are totals: where there is no room for this report, a later one says it all.
  readonly #send = (): void => {
    if (!this.#due) return; // flush() was faster
    this.#due = false;
    this.#last = performance.now();
    this.#bond.trySend({ type: 'load', received: this.#received, open: this.#open() }, () => this.changed());
  };
}
