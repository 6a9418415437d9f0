// Figures: how this worker is, for its primary.
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';
import type { WorkerFigures } from '../handoff/pool-status';

/** Milliseconds between two looks at the event loop: what perf_hooks takes off its own figures. */
const RESOLUTION_MS = 20;

export class Figures {
  readonly #delay: IntervalHistogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });

  constructor() {
    this.#delay.enable();
  }

  /** @param counts of the connections */
  take(counts: { connections: number; accepted: number }): WorkerFigures {
    // What it measures is from one look to the next, the pause between them included. perf_hooks
    const loopLagMs = Math.max(0, this.#delay.max / 1e6 - RESOLUTION_MS);
    this.#delay.reset();
    const { user, system } = process.cpuUsage();
    return { ...counts, loopLagMs, rssBytes: process.memoryUsage.rss(), cpuMs: (user + system) / 1000 };
  }

  stop(): void {
    this.#delay.disable();
  }
}
