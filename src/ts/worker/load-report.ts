// LoadReport: tells the primary how many of the connections that it passes have come, and how many of them are open. It
// passes the next one to whoever has the fewest, so it hears of every turn of the loop that changed something, once.
import type { Bond } from './bond';

export class LoadReport {
  readonly #bond: Pick<Bond, 'trySend'>;
  readonly #open: () => number;
  #received = 0;
  #due: NodeJS.Immediate | undefined;

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
    this.#due ??= setImmediate(this.#send);
  }

  /** A new primary counts from zero. */
  restart(): void {
    this.#received = 0;
    this.changed();
  }

  // Both figures are totals: where there is no room for this report, a later one says it all.
  readonly #send = (): void => {
    this.#due = undefined;
    this.#bond.trySend({ type: 'load', received: this.#received, open: this.#open() }, () => this.changed());
  };
}
