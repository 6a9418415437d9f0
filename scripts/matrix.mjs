// Runs the test files under every runtime that docs/platforms.md names: see --help.
import { parseArgs } from 'node:util';

import { build } from './build.mjs';
import { cells } from './lib/matrix/cells.mjs';
import { runCell } from './lib/matrix/run-cell.mjs';
import { cacheFolder } from './lib/matrix/runtimes.mjs';
import { isGood, table } from './lib/matrix/table.mjs';
import { fail, keepStdoutForTheResult, run, say } from './lib/run.mjs';
import { compileTests } from './lib/typescript.mjs';
import { setup } from './setup.mjs';

const kMinutes = 30;

const help = `npm run matrix [-- [options] [FILTER ...]]

Runs the same compiled test files under each runtime and prints one table: runtime, CPU and libc, and how many tests
passed, failed, were skipped, or failed as known (with the reason). FILTER is the name of a cell, or the beginning of
several.

Cells: ${cells.map(({ name }) => name).join(' ')}

  --files TEXT    only files whose name contains TEXT
  --json          all of it as JSON on stdout: every file, every failure
  --built         uses what is compiled already
  --verbose       tells of every file, and shows the output of those with failures, on stderr
  --minutes N     ends what runs after so long, and fails; default ${kMinutes}
  --help

Runtimes are npm packages, kept in ${cacheFolder} (or $FDPASS_RUNTIMES).
Exit status 0 if nothing failed that is not known and nothing passed that is known to fail, 1 otherwise.
`;

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      files: { type: 'string', default: '' },
      json: { type: 'boolean' },
      built: { type: 'boolean' },
      verbose: { type: 'boolean' },
      minutes: { type: 'string', default: `${kMinutes}` },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) return void process.stdout.write(help);
  const minutes = Number(values.minutes);
  if (!(minutes > 0)) fail(`--minutes is a number above 0, not "${values.minutes}"`);
  const chosen = chosenCells(positionals);
  keepStdoutForTheResult();
  if (!values.built) {
    await setup();
    await build();
    await compileTests();
  }
  if (chosen.some(({ cpu }) => cpu === 'arm64'))
    await run('prebuild arm64', process.execPath, ['scripts/prebuild.mjs', 'arm64']);
  const began = new Date();
  const rows = await runCells(chosen, { ...values, signal: endOfRun(minutes) });
  const seconds = Math.round((Date.now() - began.getTime()) / 1000);
  const result = { date: began.toISOString().slice(0, 10), seconds, cells: rows };
  process.stdout.write(values.json ? `${JSON.stringify(result, null, 2)}\n` : table(result));
  process.exit(isGood(result) ? 0 : 1);
}

function chosenCells(filters) {
  if (filters.length === 0) return cells;
  const matches = (filter) => {
    const exact = cells.filter(({ name }) => name === filter);
    const found = exact.length > 0 ? exact : cells.filter(({ name }) => name.startsWith(filter));
    if (found.length === 0) fail(`no cell begins with ${filter}; see --help`);
    return found;
  };
  return [...new Set(filters.flatMap(matches))];
}

// Aborted by a signal, and when the time is over.
function endOfRun(minutes) {
  const end = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => end.abort(signal));
  setTimeout(() => end.abort(`${minutes} min are over`), minutes * 60_000).unref();
  return end.signal;
}

async function runCells(chosen, options) {
  const rows = [];
  for (const cell of chosen) {
    const row = await runCell(cell, options);
    rows.push(row);
    say(`${cell.name}: ${row.problem ?? `done in ${row.seconds} s`}`);
  }
  return rows;
}

await main();
