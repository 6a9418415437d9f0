// `npm run faults`: the whole matrix, two cells at a time, printed as two tables.
import { type CellResult, runCell } from './cell';
import { help, parseOptions } from './options';
import { type Judged, printMatrix } from './print';
import { type Cell, matrix, title } from './table';

/** Each cell is three small servers and a load, mostly waiting for deadlines. */
const CONCURRENCY = 2;

async function main(): Promise<number> {
  const options = parseOptions(process.argv.slice(2));
  if (options.help) {
    process.stdout.write(help);
    return 0;
  }
  const all = matrix();
  const chosen = all.filter((one): one is Cell => !('why' in one) && title(one).includes(options.filter));
  if (chosen.length === 0) {
    process.stderr.write(`faults: no cell has "${options.filter}" in its name; see --help\n`);
    return 2;
  }
  const progress = options.json ? process.stderr : process.stdout;
  const judged: Judged[] = [];
  const waiting = chosen.slice();
  const work = async (): Promise<void> => {
    for (let cell = waiting.shift(); cell !== undefined; cell = waiting.shift()) {
      const one = await judge(cell);
      judged.push(one);
      const verdict = one.error === undefined ? mark(one.result) : `FAILED\n${one.error}`;
      progress.write(`${judged.length}/${chosen.length} ${title(cell)}: ${verdict}\n`);
    }
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  if (options.json)
    process.stdout.write(`${JSON.stringify([...judged, ...all.filter((one) => 'why' in one)], null, 2)}\n`);
  else process.stdout.write(`\n${printMatrix(judged)}\n`);
  return judged.some(({ error }) => error !== undefined) ? 1 : 0;
}

/** What the cell has started ends with it, however it ends. */
async function judge(cell: Cell): Promise<Judged> {
  const cleaners: (() => void | Promise<void>)[] = [];
  const outcome = await runCell({ after: (clean) => void cleaners.push(clean) }, cell).then(
    (result) => ({ result }),
    (error: Error) => ({ error: error.message }),
  );
  for (const clean of cleaners) {
    try {
      await clean();
    } catch (error) {
      return {
        ...cell,
        error: `${'error' in outcome ? `${outcome.error}\n` : ''}${(error as Error).message}`,
      };
    }
  }
  return { ...cell, ...outcome };
}

function mark(result: CellResult | undefined): string {
  if (result === undefined) return '';
  const failed = result.allowed === 0 ? 'ok' : `${result.allowed} failed, as they may`;
  return `${failed}; ${result.answered} answered, the ${result.served} one served`;
}

process.exitCode = 1;
void main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => process.stderr.write(`faults: ${error.message}\n`),
);
