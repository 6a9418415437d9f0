/** Owns the work of a load process: lets every client send one request after the other, counts, and reports to its parent. */
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from './clock';
import type { LoadFinish, LoadProgress, LoadReport } from './load-process';
import { longestGap, Series, splitBySwitch } from './stats';

const kProgressMs = 250;
const kShownErrors = 5;

/** One at a time: the next request is sent when the last one was answered, and after a pause. */
export interface LoadClient {
  readonly kind: string;
  pauseMs(): number;
  /** Resolves with the generation that answered; rejects with what was wrong. */
  send(): Promise<number>;
  close(): void;
}

class Tally {
  readonly startsMs = new Series();
  readonly latenciesMs = new Series();
  readonly perGeneration = new Map<number, number>();
  readonly errors = new Map<string, number>();
  readonly kinds = new Map<string, { requests: number; failed: number }>();
  requests = 0;
  failed = 0;

  begin(kind: string): { requests: number; failed: number } {
    const counts = this.kinds.get(kind) ?? { requests: 0, failed: 0 };
    this.kinds.set(kind, counts);
    counts.requests++;
    this.requests++;
    return counts;
  }

  answered(generation: number, startMs: number): void {
    this.startsMs.push(startMs);
    this.latenciesMs.push(monotonicMs() - startMs);
    this.perGeneration.set(generation, (this.perGeneration.get(generation) ?? 0) + 1);
  }

  failure(kind: string, error: unknown): void {
    this.failed++;
    const text = `${kind}: ${textOf(error)}`;
    this.errors.set(text, (this.errors.get(text) ?? 0) + 1);
  }
}

/** fetch() says no more than 'fetch failed', and its cause the rest. */
function textOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause instanceof Error ? `${error.message}: ${error.cause.message}` : error.message;
}

/** In a process of its own that was forked for this. @param extra what else the report shall say */
export function runLoad(clients: readonly LoadClient[], extra: () => Partial<LoadReport> = () => ({})): void {
  const tally = new Tally();
  let stopping = false;
  const ended = Promise.all(clients.map((client) => sendAll(client, tally, () => stopping)));
  const timer = setInterval(() => {
    const { requests, failed } = tally;
    process.send?.({ type: 'progress', atMs: monotonicMs(), requests, failed } satisfies LoadProgress);
  }, kProgressMs);
  // A Ctrl-C reaches the whole terminal group; the parent decides when the load ends, and its death ends it too.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', async (message: LoadFinish) => {
    stopping = true;
    clearInterval(timer);
    await ended;
    process.send?.({ ...report(tally, message.switchesMs), ...extra() }, () => process.disconnect());
  });
}

async function sendAll(client: LoadClient, tally: Tally, isOver: () => boolean): Promise<void> {
  while (!isOver()) {
    const startMs = monotonicMs();
    const counts = tally.begin(client.kind);
    try {
      tally.answered(await client.send(), startMs);
    } catch (error) {
      counts.failed++;
      tally.failure(client.kind, error);
    }
    const pause = client.pauseMs();
    if (pause > 0) await sleep(pause);
  }
  client.close();
}

function report(tally: Tally, switchesMs: readonly number[]): LoadReport {
  const [starts, latencies] = [tally.startsMs.view(), tally.latenciesMs.view()];
  return {
    type: 'report',
    requests: tally.requests,
    failed: tally.failed,
    errors: [...tally.errors]
      .map(([text, times]) => ({ text, times }))
      .sort((a, b) => b.times - a.times)
      .slice(0, kShownErrors),
    kinds: Object.fromEntries(tally.kinds),
    perGeneration: Object.fromEntries(tally.perGeneration),
    ...splitBySwitch(starts, latencies, switchesMs),
    longestGapMs: longestGap(starts, latencies),
  };
}
