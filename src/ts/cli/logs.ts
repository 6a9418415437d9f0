// fdpass logs: what the workers of a pool write.
import { hasCode } from '../base/errors';
import { ask } from '../handoff/ask';
import type { Result } from '../handoff/command';
import type { LogLine } from '../handoff/pool-commands';
import { type Command, EXIT, UsageError } from './command';
import { parseCommandLine } from './command-line';
import { otherAnswer } from './failure';
import { LogPrinter } from './log-printer';
import { asJson, prefixed, wantsColour } from './log-text';
import { readCount, TARGET_HELP, TARGET_OPTIONS, type Target, targetOf } from './target';

/** A terminal, about. */
const DEFAULT_LINES = 50;

/** More than a pool keeps. */
const MAX_LINES = 1_000_000;

/** From the end of a process that has handed over to the next question. */
const AGAIN_MS = 200;

interface Wanted extends Target {
  lines: number;
  worker: number | undefined;
  follow: boolean;
}

export const logs: Command = {
  help: `Show what the workers of a pool have written to stdout and stderr.

  fdpass logs NAME [-f] [-n LINES] [--worker N] [--json] [--timeout MS] [--address AT]

${TARGET_HELP}
  -f, --follow   go on with what comes, until Ctrl-C
  -n LINES       so many of the latest lines; default ${DEFAULT_LINES}
  --worker N     of worker N only, whatever its generation
  --json         an object for each line: { time, worker, generation, pid, stream, line }
  --timeout MS   stop waiting after so many milliseconds
  --help         this text

  fdpass logs shop -f

A line of worker 2, third generation:

  shop/2.3 | listening on port 8080

The pool keeps about a megabyte of lines, from when it was started. Whoever reads too slowly misses lines, and is told
how many: a reader never makes a worker wait. The prefix has a colour on a terminal, unless NO_COLOR is set.

Exit code: 0; 1 nobody answers, or the service is no pool; 64 the command line is wrong.
`,
  async run(args) {
    const wanted = parse(args);
    const result = await read(wanted);
    if (result === 'enough' || result.outcome === 'logs') return EXIT.ok;
    return otherAnswer('logs', result, wanted.json);
  },
};

function parse(args: readonly string[]): Wanted {
  const options = {
    ...TARGET_OPTIONS,
    follow: { type: 'boolean', short: 'f' },
    lines: { type: 'string', short: 'n' },
    worker: { type: 'string' },
  } as const;
  const { values, positionals } = parseCommandLine({ args: [...args], options, allowPositionals: true });
  const { lines, worker, follow = false } = values;
  const place = worker === undefined ? undefined : readCount('--worker', worker, MAX_LINES);
  if (place === 0) throw new UsageError('--worker takes a number from 1');
  return {
    ...targetOf(values, positionals),
    lines: lines === undefined ? DEFAULT_LINES : readCount('-n', lines, MAX_LINES),
    worker: place,
    follow,
  };
}

/** Goes on with the process that takes the pool over. @returns 'enough': whoever reads what we print has gone */
async function read(wanted: Wanted): Promise<Result | 'enough'> {
  const { name = 'pool', json, follow } = wanted;
  const text = json ? asJson : prefixed(name, { colour: wantsColour(process.stdout, process.env) });
  const printer = new LogPrinter(process.stdout, (dropped) => remark(dropped, json));
  const onLines = (some: LogLine[], dropped: number): void => {
    printer.missed(dropped);
    for (const line of some) printer.print(text(line));
  };
  const gone = new AbortController();
  process.stdout.once('error', () => gone.abort());
  for (let { lines } = wanted; ; lines = MAX_LINES) {
    try {
      return await request({ ...wanted, lines }, onLines, gone.signal);
    } catch (error) {
      if (gone.signal.aborted) return 'enough';
      if (!follow || !hasCode(error, 'ERR_HANDOFF_HOLDER_GONE')) throw error;
    }
    await new Promise((resolve) => setTimeout(resolve, AGAIN_MS));
  }
}

function request(
  { name, address, timeoutMs, lines, worker, follow }: Wanted,
  onLines: (lines: LogLine[], dropped: number) => void,
  signal: AbortSignal,
): Promise<Result> {
  const more = { lines, follow, ...(worker === undefined ? {} : { worker }) };
  return ask({ address, command: 'logs', name, timeoutMs, more, onLines, signal });
}

function remark(dropped: number, json: boolean): string {
  return json ? `${JSON.stringify({ dropped })}\n` : `fdpass logs: ${dropped} lines were left out here\n`;
}
