// Runs the AF_UNIX conformance suite, as the current user and as one without rights, and says what became of each row.
import { writeFileSync, writeSync } from 'node:fs';
import { createRequire } from 'node:module';
import { userInfo } from 'node:os';
import { parseArgs } from 'node:util';

import { build } from './build.mjs';
import { runPass } from './lib/conformance/pass.mjs';
import { stageFor } from './lib/conformance/stage.mjs';
import { counts, summary } from './lib/conformance/summary.mjs';
import { isMain } from './lib/main-module.mjs';
import { fromRoot, root } from './lib/root.mjs';
import { fail, keepStdoutForTheResult, say } from './lib/run.mjs';
import { compileTests } from './lib/typescript.mjs';
import { setup } from './setup.mjs';

const help = `npm run conformance [-- [options] [FILTER]]

Builds what is needed and runs the rows of test/conformance/cases.md: once as the current user and, if
that is root, once more as uid 65534 on a copy. FILTER is a row (DG-02) or a section (dgram).

  --json    the results on stdout as JSON, everything else on stderr
  --docs    only writes docs/conformance.md
  --built   uses what is compiled already
  --help

Exit status 0 if no row failed, 1 otherwise.
`;

const kStdout = 1;
const kStderr = 2;
let output = kStdout;

const nobody = { uid: 65534, gid: 65534 };
const require = createRequire(import.meta.url);

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      json: { type: 'boolean' },
      docs: { type: 'boolean' },
      built: { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) return void process.stdout.write(help);
  if (values.json) {
    keepStdoutForTheResult();
    output = kStderr;
  }
  if (!values.built) {
    await setup();
    await build();
    await compileTests();
  }
  if (values.docs) return writeDocs();
  const passes = [await asCurrentUser(positionals[0]), ...(await asNobody(positionals[0]))];
  if (values.json) process.stdout.write(`${JSON.stringify(passes, null, 2)}\n`);
  process.exitCode = passes.some(hasFailed) ? 1 : 0;
}

// For npm test, which has run the files as the current user itself.
export async function conformanceAsNobody() {
  for (const pass of await asNobody()) if (hasFailed(pass)) fail(`conformance, ${pass.title}`);
}

async function asCurrentUser(filter) {
  return await pass(`as ${userInfo().username}`, { folder: root }, filter);
}

// No pass at all unless this is root: another user cannot become one.
async function asNobody(filter) {
  if (process.getuid() !== 0) return [];
  const title = `as uid ${nobody.uid}`;
  const { folder, temporary, remove } = stageFor(nobody);
  try {
    const env = { ...process.env, TMPDIR: temporary, HOME: temporary };
    return [await pass(title, { folder, user: nobody, env }, filter)];
  } catch (error) {
    if (error.code !== 'EACCES') throw error;
    say(`conformance, ${title}: not run, that user may not execute ${process.execPath}`);
    return [];
  } finally {
    remove();
  }
}

async function pass(title, where, filter) {
  const { cases, sections } = require(fromRoot('out/test/conformance/table.js'));
  const chosen = cases.filter(
    ({ id, section }) => filter === undefined || id === filter || section === filter,
  );
  if (chosen.length === 0) fail(`no row and no section is "${filter}"`);
  const files = [...new Set(chosen.map(({ section }) => `${section}.test.js`))];
  if (filter === undefined) files.push('complete.test.js');
  say(`conformance, ${title}: ${chosen.length} rows`);
  const outcome = await runPass({ ...where, files, cases: chosen, onResult: tellProgress });
  const missing = chosen.filter(({ id }) => !outcome.results.some((result) => result.id === id));
  if (missing.length > 0) {
    outcome.broken.push({ name: 'rows without a result', error: missing.map(({ id }) => id).join(' ') });
  }
  writeSync(output, `\n${summary(title, sections, outcome)}\n`);
  if (outcome.broken.length > 0) writeSync(output, outcome.stderr);
  return { title, counts: counts(outcome.results), ...outcome };
}

function tellProgress({ id, outcome, milliseconds = 0 }) {
  if (outcome === 'failed') say(`${id} FAILED`);
  else if (milliseconds > 2000) say(`${id} took ${(milliseconds / 1000).toFixed(1)} s`);
}

const hasFailed = ({ results, broken }) =>
  broken.length > 0 || results.some(({ outcome }) => outcome === 'failed');

function writeDocs() {
  const { conformanceDocs } = require(fromRoot('out/test/conformance/docs.js'));
  writeFileSync(fromRoot('docs/conformance.md'), conformanceDocs());
  say('docs/conformance.md is written');
}

if (isMain(import.meta.url)) await main();
