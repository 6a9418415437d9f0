// One pass of the suite: the compiled files of a folder, run as a user, and what became of each row.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';

import { forwardSignals } from '../run.mjs';

// folder: the project, or a copy of it. user: { uid, gid }, or nothing for the current one.
// Resolves with { results, broken, stderr }: results of rows, failures outside of them, what was written.
export async function runPass({ folder, files, cases, user = {}, env = process.env, onResult = () => {} }) {
  const { NODE_TEST_CONTEXT: _, ...clean } = env;
  const args = [
    '--expose-gc',
    `--require=${path.join(folder, 'out/test/helpers/fd-guard.js')}`,
    '--test',
    `--test-reporter=${path.join(folder, 'scripts/lib/conformance/reporter.mjs')}`,
    '--test-timeout=180000',
    '--test-concurrency=2',
    ...(cases.length === 1 ? [`--test-name-pattern=^${cases[0].id} `] : []),
    ...files.map((file) => path.join(folder, 'out/test/conformance', file)),
  ];
  const child = spawn(process.execPath, args, {
    cwd: folder,
    env: clean,
    stdio: ['ignore', 'pipe', 'pipe'],
    ...user,
  });
  const outcome = { results: [], broken: [], stderr: '' };
  child.stderr.setEncoding('utf8').on('data', (text) => {
    outcome.stderr += text;
  });
  createInterface({ input: child.stdout }).on('line', (line) => read(line, outcome, cases, onResult));
  const stopForwarding = forwardSignals(child);
  const [code] = await once(child, 'close').finally(stopForwarding);
  if (
    code !== 0 &&
    outcome.broken.length === 0 &&
    outcome.results.every(({ error }) => error === undefined)
  ) {
    outcome.broken.push({ name: 'node --test', error: `exit code ${code}: ${outcome.stderr}` });
  }
  return outcome;
}

function read(line, outcome, cases, onResult) {
  const event = JSON.parse(line);
  if (event.type === 'stderr') outcome.stderr += event.text;
  if (event.type !== 'row') return;
  if (event.id === undefined) {
    // A file fails also because a row in it did.
    if (!/subtests? failed/.test(event.error)) outcome.broken.push({ name: event.name, error: event.error });
    return;
  }
  const row = cases.find(({ id }) => id === event.id);
  if (row === undefined) return; // left out by the filter
  const result = { id: row.id, section: row.section, name: event.name, ...judge(event) };
  outcome.results.push(result);
  onResult(result);
}

const NOT_APPLICABLE = 'not applicable: ';

function judge({ skip, error, milliseconds }) {
  if (error !== undefined) return { outcome: 'failed', error, milliseconds };
  if (skip === undefined) return { outcome: 'passed', milliseconds };
  if (!skip.startsWith(NOT_APPLICABLE)) return { outcome: 'skipped', reason: skip };
  return { outcome: 'not applicable', reason: skip.slice(NOT_APPLICABLE.length) };
}
