// Runs the test files under every runtime that docs/platforms.md names: see --help.
import { parseArgs } from 'node:util';

import { build } from './build.mjs';
import { cells } from './lib/matrix/cells.mjs';
import { reasonOf } from './lib/matrix/known.mjs';
import { compiledTest } from './lib/matrix/run-file.mjs';
import { cacheFolder, fetchRuntime, versionOf } from './lib/matrix/runtimes.mjs';
import { fail, keepStdoutForTheResult, run, say } from './lib/run.mjs';
import { requireTools } from './lib/system-tools.mjs';
import { compileTests } from './lib/typescript.mjs';
import { setup } from './setup.mjs';

const help = `npm run matrix [-- [options] [FILTER ...]]

Runs the same compiled test files under each runtime and prints one table: runtime, CPU and libc, and how many tests
passed, failed, were skipped, or failed as known (with the reason). FILTER is the beginning of a cell's name.

Cells: ${cells.map(({ name }) => name).join(' ')}

  --files TEXT  only files whose name contains TEXT
  --json        the table and every failure as JSON on stdout
  --built       uses what is compiled already
  --verbose     shows the output of files with failures, on stderr
  --help

Runtimes are npm packages, kept in ${cacheFolder} (or $FDPASS_RUNTIMES).
Exit status 0 if nothing failed that is not known, 1 otherwise.
`;

const kSecondsPerFile = 90;

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      files: { type: 'string', default: '' },
      json: { type: 'boolean' },
      built: { type: 'boolean' },
      verbose: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) return void process.stdout.write(help);
  const chosen = cells.filter(
    ({ name }) => positionals.length === 0 || positionals.some((filter) => name.startsWith(filter)),
  );
  if (chosen.length === 0) fail(`no cell begins with ${positionals.join(' or ')}; see --help`);
  keepStdoutForTheResult();
  if (!values.built) {
    await setup();
    await build();
    await compileTests();
  }
  if (chosen.some(({ cpu }) => cpu === 'arm64')) await prepareArm64();
  const rows = [];
  for (const cell of chosen) rows.push(await runCell(cell, values));
  process.stdout.write(values.json ? `${JSON.stringify(rows, null, 2)}\n` : table(rows));
  process.exitCode = rows.some(({ failed, problem }) => failed.length > 0 || problem !== undefined) ? 1 : 0;
}

async function prepareArm64() {
  await requireTools([
    { command: 'qemu-aarch64-static', package: 'qemu-user-static' },
    { command: 'aarch64-linux-gnu-g++', package: 'g++-aarch64-linux-gnu' },
  ]);
  await run('prebuild arm64', process.execPath, ['scripts/prebuild.mjs', 'arm64']);
}

async function runCell(cell, { files, verbose }) {
  const { name, cpu, libc } = cell;
  const row = { name, version: '', cpu, libc, passed: 0, skipped: 0, failed: [], known: [] };
  let binary;
  try {
    binary = await fetchRuntime(cell.kind, cell.version);
  } catch (error) {
    return { ...row, problem: error.message };
  }
  row.version = versionOf(binary);
  const left = cell.files.filter((file) => file.includes(files));
  say(`${name} (${row.version}): ${left.length} files`);
  const work = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      add(row, file, await runFile(cell, binary, file), verbose);
    }
  };
  await Promise.all([work(), work()]); // two at a time
  return row;
}

async function runFile({ run: runIt, seconds = kSecondsPerFile }, binary, file) {
  // Ours are not for the tests, of which some look at their environment.
  const { NODE_TEST_CONTEXT: _, NODE_OPTIONS: __, FDPASS_RUNTIMES: ___, ...env } = process.env;
  return await runIt(binary, compiledTest(`${file}.test`), { env, seconds });
}

function add(row, file, { passed, skipped, failed, problem, output }, verbose) {
  row.passed += passed;
  row.skipped += skipped;
  const titles = problem === undefined ? failed : [...failed, problem];
  let unexpected = false;
  for (const title of titles) {
    const reason = reasonOf(row.name, file, title);
    if (reason === undefined) {
      unexpected = true;
      row.failed.push({ file, title });
      say(`${row.name}: ${file}: FAILED: ${title}`);
    } else {
      row.known.push({ file, title, reason });
    }
  }
  if (unexpected && verbose) process.stderr.write(output);
}

function table(rows) {
  const head = ['cell', 'version', 'CPU', 'libc', 'passed', 'failed', 'skipped', 'known'];
  const lines = rows.map((row) => {
    const { name, version, cpu, libc, passed, failed, skipped, known, problem } = row;
    const counts = problem === undefined ? [passed, failed.length, skipped, known.length] : ['not run'];
    return [name, version, cpu, libc, ...counts].map(String);
  });
  const widths = head.map((_, column) =>
    Math.max(...[head, ...lines].map((line) => (line[column] ?? '').length)),
  );
  const text = [head, ...lines].map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
  const reasons = new Set(
    rows.flatMap(({ name, known }) => known.map(({ file, reason }) => `${name}: ${file}: ${reason}`)),
  );
  const problems = rows
    .filter(({ problem }) => problem !== undefined)
    .map(({ name, problem }) => `${name}: ${problem}`);
  return `${[...text, ...(reasons.size > 0 ? ['', ...reasons] : []), ...problems].join('\n')}\n`;
}

await main();
