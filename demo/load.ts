/** Owns the load: a process that keeps sending mixed requests, counts, and reports. `node load.js PORT CONNECTIONS` */
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from './clock';
import type { LoadFinish, LoadProgress, LoadReport } from './load-process';
import { Client, type Kind } from './load-request';
import { longestGap, Series, splitBySwitch } from './stats';

const kProgressMs = 250;
const kShownErrors = 5;
/** Between two requests of one client. Without it two busy processes saturate a small machine and only queues are measured. */
const kPauseMs = 3;

const startsMs = new Series();
const latenciesMs = new Series();
const perGeneration = new Map<number, number>();
const errors = new Map<string, number>();
let requests = 0;
let failed = 0;
let stopping = false;

async function sendAll(kind: Kind, port: number): Promise<void> {
  const client = new Client(kind, port);
  while (!stopping) {
    const startMs = monotonicMs();
    requests++;
    try {
      const generation = await client.send();
      startsMs.push(startMs);
      latenciesMs.push(monotonicMs() - startMs);
      perGeneration.set(generation, (perGeneration.get(generation) ?? 0) + 1);
    } catch (error) {
      failed++;
      const text = `${kind}: ${error instanceof Error ? error.message : String(error)}`;
      errors.set(text, (errors.get(text) ?? 0) + 1);
    }
    await sleep(kPauseMs);
  }
  client.close();
}

/** Half keep their connection, a quarter opens one for each request, a quarter posts. */
function kindsFor(connections: number): Kind[] {
  const quarter = Math.floor(connections / 4);
  return Array.from({ length: connections }, (_, i) => {
    if (i < quarter) return 'post';
    return i < 2 * quarter ? 'get-new-connection' : 'get';
  });
}

function report(switchesMs: readonly number[]): LoadReport {
  const [starts, latencies] = [startsMs.view(), latenciesMs.view()];
  return {
    type: 'report',
    requests,
    failed,
    errors: [...errors]
      .map(([text, times]) => ({ text, times }))
      .sort((a, b) => b.times - a.times)
      .slice(0, kShownErrors),
    perGeneration: Object.fromEntries(perGeneration),
    ...splitBySwitch(starts, latencies, switchesMs),
    longestGapMs: longestGap(starts, latencies),
  };
}

function progress(): void {
  process.send?.({ type: 'progress', atMs: monotonicMs(), requests, failed } satisfies LoadProgress);
}

function main(): void {
  const [port, connections] = process.argv.slice(2).map(Number);
  if (port === undefined || connections === undefined) throw new Error('usage: load.js PORT CONNECTIONS');
  const ended = Promise.all(kindsFor(connections).map((kind) => sendAll(kind, port)));
  const timer = setInterval(progress, kProgressMs);
  // A Ctrl-C reaches the whole terminal group; the demo decides when the load ends, and its death ends it too.
  process.on('SIGINT', () => {});
  process.on('disconnect', () => process.exit());
  process.on('message', async (message: LoadFinish) => {
    stopping = true;
    clearInterval(timer);
    await ended;
    process.send?.(report(message.switchesMs), () => process.disconnect());
  });
}

main();
