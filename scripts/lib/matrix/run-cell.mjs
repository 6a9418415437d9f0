// One cell: its runtime, then each of its files, two at a time. Its row: { name, version, cpu, libc, seconds, passed, skipped,
// failed: [{ file, title }], known: [{ file, title, reason }], stale: [{ file, title }], files: [{ file, … }], problem }.
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { fromRoot } from '../root.mjs';
import { say } from '../run.mjs';
import { judge } from './judge.mjs';
import { known } from './known.mjs';
import { compiledTest } from './run-file.mjs';
import { fetchRuntime, versionOf } from './runtimes.mjs';

const kAtOnce = 2;
const kSecondsPerFile = 90;

// `signal` ends what runs, and nothing more is started.
export async function runCell(cell, { files, verbose, signal }) {
  const { name, cpu, libc } = cell;
  const row = { name, version: '', cpu, libc, seconds: 0, passed: 0, skipped: 0 };
  Object.assign(row, { failed: [], known: [], stale: [], files: [] });
  const began = Date.now();
  let binary;
  try {
    signal.throwIfAborted();
    binary = await fetchRuntime(cell.kind, cell.version);
  } catch (error) {
    return { ...row, problem: error.message ?? `not run: ${error}` };
  }
  row.version = versionOf(binary);
  const left = cell.files.filter((file) => file.includes(files));
  say(`${name} (${row.version}): ${left.length} files`);
  const work = async () => {
    for (let file = left.shift(); file !== undefined; file = left.shift()) {
      if (signal.aborted) row.failed.push({ file, title: `not run: ${signal.reason}` });
      else add(row, file, await runFile(cell, binary, file, signal), verbose);
    }
  };
  await Promise.all(Array.from({ length: kAtOnce }, work));
  row.seconds = secondsSince(began);
  return row;
}

async function runFile({ run, env, seconds = kSecondsPerFile }, binary, file, signal) {
  const began = Date.now();
  const options = { env: { ...environment(), ...env }, seconds, signal };
  const outcome = await run(binary, compiledTest(`${file}.test`), options);
  return { ...outcome, seconds: secondsSince(began) };
}

// Ours is not for the tests, some of which look at theirs. With NODE_EXTRA_CA_CERTS a thread of Node 24 has that file open
// at some moment while a program starts, and a count of descriptors is one too high.
function environment() {
  const {
    NODE_TEST_CONTEXT: _,
    NODE_OPTIONS: __,
    FDPASS_RUNTIMES: ___,
    NODE_EXTRA_CA_CERTS: ____,
    ...env
  } = process.env;
  return env;
}

function add(row, file, outcome, verbose) {
  const { passed, skipped, seconds, output } = outcome;
  const judged = judge(known, row.name, file, outcome);
  row.passed += passed;
  row.skipped += skipped;
  row.failed.push(...judged.failed.map((title) => ({ file, title })));
  row.known.push(...judged.known.map((entry) => ({ file, ...entry })));
  row.stale.push(...judged.stale.map((title) => ({ file, title })));
  row.files.push({
    file,
    seconds,
    passed,
    skipped,
    failed: judged.failed.length,
    known: judged.known.length,
  });
  tell(`${row.name}: ${file}`, outcome, judged, verbose);
  if (judged.failed.length === 0) return;
  if (verbose) process.stderr.write(output);
  say(
    `  again: npm run matrix -- ${row.name} --files ${file} --verbose; its output: ${keep(row, file, output)}`,
  );
}

function tell(where, { passed, skipped, seconds }, { failed, known: expected, stale }, verbose) {
  for (const title of failed) say(`${where}: FAILED: ${title}`);
  for (const title of stale) {
    say(`${where}: known failure passes now: remove its entry from scripts/lib/matrix/known.mjs: ${title}`);
  }
  if (!verbose && !process.stderr.isTTY) return;
  const counts = [`${passed} passed`];
  if (failed.length > 0) counts.push(`${failed.length} failed`);
  if (skipped > 0) counts.push(`${skipped} skipped`);
  if (expected.length > 0) counts.push(`${expected.length} failed as known`);
  say(`${where}: ${counts.join(', ')}, ${seconds} s`);
}

// @returns the file, as it is named from the root
function keep({ name }, file, output) {
  const target = path.join('out/matrix', name, `${file}.txt`);
  mkdirSync(path.dirname(fromRoot(target)), { recursive: true });
  writeFileSync(fromRoot(target), output);
  return target;
}

const secondsSince = (time) => Math.round((Date.now() - time) / 100) / 10;
