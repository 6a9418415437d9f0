// Departure: the last part of a process's life: its connections end, and then it does.
import type { DrainCount } from './connections';
import type { ProcessSeam } from './process';
import type { Registry } from './registry';
import type { HandoffTimeouts } from './timeouts';

/** Processes of one name that may be alive at a time: one serves, the others drain. */
const MAX_GENERATIONS = 3;

export class Departure {
  /** Of the services that this process has part in: to end one must not end the others. */
  static readonly #present = new Set<Departure>();

  readonly #registry: Pick<Registry, 'drain'>;
  readonly #seam: ProcessSeam;
  readonly #timeouts: HandoffTimeouts;
  /** What cuts the connections that are left. */
  readonly #cuts = new Set<() => void>();

  constructor(registry: Pick<Registry, 'drain'>, seam: ProcessSeam, timeouts: HandoffTimeouts) {
    this.#registry = registry;
    this.#seam = seam;
    this.#timeouts = timeouts;
  }

  /** Lets the connections end, or cuts them after `timeouts.drain`. */
  drain(): Promise<DrainCount> {
    // Open connections alone need not keep a process: nobody reads from an HTTP/2 session that was told to go.
    return this.#registry.drain((cut) => {
      this.#cuts.add(cut);
      const disarm = this.#seam.setTimer(this.#timeouts.drain, cut, { hold: true });
      return () => {
        this.#cuts.delete(cut);
        disarm();
      };
    });
  }

  /** `behind`: so many generations between the one that serves and this one drain as well. */
  hurry(behind: number): void {
    if (behind + 2 <= MAX_GENERATIONS) return;
    this.#seam.setTimer(this.#timeouts.hurry, () => {
      for (const cut of this.#cuts) cut();
    });
  }

  enroll(): void {
    Departure.#present.add(this);
  }

  /** The program goes on by itself, or ends. */
  leave(): void {
    Departure.#present.delete(this);
  }

  /** By itself, if nothing else keeps the process; else after a grace for whoever tidies up. */
  end(code: 0 | 1): void {
    this.leave();
    if (Departure.#present.size > 0) return;
    if (code !== 0) this.#seam.setExitCode(code);
    this.#seam.setTimer(this.#timeouts.exit, () => this.#seam.exit(code));
  }
}
