// LoopLag: how late the event loop of a worker has been, at worst, within the last second or two.
import { type IntervalHistogram, monitorEventLoopDelay } from 'node:perf_hooks';

/** The loop is looked at so often. What is shorter is not seen. */
const RESOLUTION_MS = 20;
const SECOND_MS = 1_000;
const NS_PER_MS = 1e6;

export class LoopLag {
  /** undefined: the runtime has none. */
  readonly #histogram: IntervalHistogram | undefined;
  readonly #timer: NodeJS.Timeout;
  #lastSecondMs = 0;

  constructor() {
    this.#histogram = tryMonitor();
    this.#timer = setInterval(() => {
      this.#lastSecondMs = this.#currentMs();
      this.#histogram?.reset();
    }, SECOND_MS).unref();
  }

  get ms(): number | undefined {
    return this.#histogram && Math.max(this.#lastSecondMs, this.#currentMs());
  }

  end(): void {
    clearInterval(this.#timer);
    this.#histogram?.disable();
  }

  // What it measures is from one look to the next.
  #currentMs(): number {
    const { count = 0, max = 0 } = this.#histogram ?? {};
    return count === 0 ? 0 : Math.max(0, max / NS_PER_MS - RESOLUTION_MS);
  }
}

function tryMonitor(): IntervalHistogram | undefined {
  try {
    const histogram = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
    histogram.enable();
    return histogram;
  } catch {
    return undefined;
  }
}
