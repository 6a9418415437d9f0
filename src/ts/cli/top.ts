// fdpass top: the workers of a pool, live.
import { setTimeout as pause } from 'node:timers/promises';
import { hasCode } from '../base/errors';
import { MAX_TIMEOUT_MS } from '../base/limits';
import { ask } from '../handoff/ask';
import type { Result, ServiceStatus } from '../handoff/command';
import { type Command, EXIT, UsageError } from './command';
import { parseCommandLine } from './command-line';
import { otherAnswer, printJson } from './failure';
import { RateMeter } from './rates';
import { Screen } from './screen';
import { readCount, TARGET_HELP, TARGET_OPTIONS, type Target, targetOf } from './target';
import { formatBytes, formatMs } from './units';
import { crashLines, rateTable, rollLine } from './worker-table';

const DEFAULT_INTERVAL_MS = 1_000;

/** Looks in a row that may fail: while the process that holds the pool is replaced, nobody may answer for a moment. */
const PATIENCE = 5;

interface Wanted extends Target {
  intervalMs: number;
  once: boolean;
}

export const top: Command = {
  help: `Watch the workers of a pool: once a second what each of them does, until q or Ctrl-C.

  fdpass top NAME [--once] [--interval MS] [--json] [--timeout MS] [--address AT]

${TARGET_HELP}
  --once         print one table and end
  --interval MS  from one look to the next; default ${DEFAULT_INTERVAL_MS}
  --json         for scripts: a line for each look, the "status" of 'fdpass status --json'
  --timeout MS   wait for an answer so long
  --help         this text

  fdpass top shop

ACC/S and REQ/S are connections and HTTP/1 requests in a second, CPU is the share of one processor: since the look
before, and at the first one since the worker was started. LAG is the longest delay of its event loop within the last
second. '-' is what a worker has not said.

Where stdout is no terminal, each look is a table of its own.

Exit code: 0; 1 nobody answers, or the service is no pool; 64 the command line is wrong.
`,
  async run(args) {
    const wanted = parse(args);
    const first = await look(wanted);
    if (first.outcome !== 'status') return otherAnswer('top', first, wanted.json);
    const { status } = first;
    if (status.pool === undefined) {
      const reason = `${status.name} is no pool; see fdpass status ${status.name}`;
      return otherAnswer('top', { outcome: 'refused', reason }, wanted.json);
    }
    const { stdout } = process;
    await (stdout.isTTY && !wanted.once && !wanted.json ? watch(wanted, status) : print(wanted, status));
    return EXIT.ok;
  },
};

function parse(args: readonly string[]): Wanted {
  const options = { ...TARGET_OPTIONS, once: { type: 'boolean' }, interval: { type: 'string' } } as const;
  const { values, positionals } = parseCommandLine({ args: [...args], options, allowPositionals: true });
  const { interval, once = false } = values;
  const intervalMs =
    interval === undefined ? DEFAULT_INTERVAL_MS : readCount('--interval', interval, MAX_TIMEOUT_MS);
  if (intervalMs < 100) throw new UsageError('--interval takes milliseconds from 100');
  return { ...targetOf(values, positionals), intervalMs, once };
}

function look({ name, address, timeoutMs }: Target): Promise<Result> {
  return ask({ address, command: 'status', name, timeoutMs });
}

/** Until whoever reads has gone. */
async function print(wanted: Wanted, first: ServiceStatus): Promise<void> {
  const gone = new AbortController();
  process.stdout.once('error', () => gone.abort());
  const meter = new RateMeter();
  for await (const status of looks(wanted, first, gone.signal)) {
    if (status instanceof Error) process.stderr.write(`fdpass top: ${status.message}\n`);
    else if (wanted.json) printJson(status);
    else process.stdout.write(`${pageOf(status, meter)}\n`);
    if (wanted.once) return;
  }
}

async function watch(wanted: Wanted, first: ServiceStatus): Promise<void> {
  const quit = new AbortController();
  process.stdout.once('error', () => quit.abort());
  const screen = new Screen(process.stdout, process.stdin, () => quit.abort());
  const meter = new RateMeter();
  let page = '';
  try {
    for await (const status of looks(wanted, first, quit.signal)) {
      if (!(status instanceof Error)) page = pageOf(status, meter);
      screen.show(status instanceof Error ? `${status.message}\n\n${page}` : page);
    }
  } finally {
    screen.close();
  }
}

/** @throws what the last one failed with, when too many in a row have */
async function* looks(
  wanted: Wanted,
  first: ServiceStatus,
  signal: AbortSignal,
): AsyncGenerator<ServiceStatus | Error> {
  yield first;
  for (let failures = 0; ; ) {
    try {
      await pause(wanted.intervalMs, undefined, { signal });
      const result = await look(wanted);
      if (result.outcome === 'status') yield result.status;
      failures = 0;
    } catch (error) {
      if (signal.aborted) return;
      if (!hasCode(error, 'ERR_HANDOFF_NOBODY', 'ERR_HANDOFF_HOLDER_GONE', 'ERR_HANDOFF_TIMEOUT'))
        throw error;
      if (++failures > PATIENCE) throw error;
      yield error as Error;
    }
  }
}

function pageOf(status: ServiceStatus, meter: RateMeter): string {
  const { name, pid, generation, ageMs, rssBytes, connections, pool } = status;
  if (pool === undefined) return `${name} is no pool any more`;
  const balance = pool.balance === undefined ? '' : `, balance ${pool.balance}`;
  const head = [
    `${name}: ${pool.size} ${pool.kind}${balance}; ${connections} connections`,
    `held by process ${pid}, generation ${generation}, for ${formatMs(ageMs)}, ${formatBytes(rssBytes)}`,
  ];
  const remarks = [rollLine(pool), ...crashLines(pool)].filter((line) => line !== undefined);
  return [...head, '', rateTable(pool, meter.look(pool.workers)), ...remarks].join('\n');
}
