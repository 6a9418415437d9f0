// Heartbeat: questions to a worker, and what it means when they are not answered.
import type { ProcessSeam } from '../handoff/process';
import type { HeartbeatOptions } from './options';

export interface HeartbeatHooks {
  ask(sequence: number): void;
  /** No answer for so many milliseconds. Called once. */
  stuck(ms: number): void;
}

export class Heartbeat {
  readonly #seam: ProcessSeam;
  readonly #times: Required<HeartbeatOptions>;
  readonly #hooks: HeartbeatHooks;
  #sequence = 0;
  #waiting = false;
  #cancel = () => {};

  constructor(seam: ProcessSeam, times: Required<HeartbeatOptions>, hooks: HeartbeatHooks) {
    this.#seam = seam;
    this.#times = times;
    this.#hooks = hooks;
  }

  start(): void {
    this.#sequence++;
    this.#waiting = true;
    this.#hooks.ask(this.#sequence);
    this.#cancel = this.#seam.setTimer(this.#times.timeoutMs, () => this.#late());
  }

  /** What answers an earlier question counts for nothing. */
  answered(sequence: number): void {
    if (sequence !== this.#sequence || !this.#waiting) return;
    this.#waiting = false;
    this.#cancel();
    this.#cancel = this.#seam.setTimer(this.#times.intervalMs, () => this.start());
  }

  stop(): void {
    this.#waiting = false;
    this.#sequence++;
    this.#cancel();
  }

  // A turn later: after a stop of ours the answer may be there to be read.
  #late(): void {
    const asked = this.#sequence;
    setImmediate(() => {
      if (asked === this.#sequence && this.#waiting) this.#hooks.stuck(this.#times.timeoutMs);
    });
  }
}
