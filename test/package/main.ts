// `npm run pack-check`: the tarball, by everything that users install it with and by everything that judges it, as one table.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { formatTable } from '#fdpass/cli/table';
import { CHECKS, type Check } from './checks';
import { pack, root } from './tarball';

const help = `npm run pack-check [-- [--json] [--help] [FILTER]]

Makes the prebuilt binaries and the npm tarball, and checks them: the list of files and its size; publint and
arethetypeswrong; the types under TypeScript's ways to resolve modules; npm sbom; and installing with each package manager,
with scripts, without, and from a lock file, in a new folder and on a PATH that has no compiler, node-gyp and python:
nothing is compiled, import and require work and share one state, and a datagram arrives with a descriptor. Last, the command
\`fdpass build\` of each, in a package without binary and with a compiler.
FILTER: only checks whose name contains it ("npm", "types").

Package managers and judges come from the npm registry, below node_modules/.cache the first time. What it lacks is
told as "not run" and makes no failure of this.

  --json    an array of { check, outcome: "ok" | "failed" | "not run", details } on stdout, progress on stderr

Exit code 0 if no check failed, 1 otherwise.
`;

interface Row {
  check: string;
  outcome: 'ok' | 'failed' | 'not run';
  details: string;
}

async function main(): Promise<number> {
  const { values, positionals } = parseArgs({
    options: { json: { type: 'boolean' }, help: { type: 'boolean', short: 'h' } },
    allowPositionals: true,
  });
  if (values.help) {
    process.stdout.write(help);
    return 0;
  }
  const chosen = CHECKS.filter(({ name }) => name.includes(positionals.join(' ')));
  if (chosen.length === 0) {
    process.stderr.write(`pack-check: no check has "${positionals.join(' ')}" in its name\n`);
    return 1;
  }
  const folder = mkdtempSync(path.join(tmpdir(), 'fdpass-pack-'));
  try {
    const tarball = pack(root, folder);
    const rows: Row[] = [];
    for (const check of chosen) {
      process.stderr.write(`${check.name} … `);
      const row = await carryOut(check, tarball);
      process.stderr.write(`${row.outcome}\n`);
      rows.push(row);
    }
    if (values.json) process.stdout.write(`${JSON.stringify(rows, null, 2)}\n`);
    else print(rows);
    return rows.some(({ outcome }) => outcome === 'failed') ? 1 : 0;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** What a check has made goes with it. */
async function carryOut({ name, run }: Check, tarball: Parameters<Check['run']>[1]): Promise<Row> {
  const endings: (() => void | Promise<void>)[] = [];
  try {
    const outcome = await run({ after: (clean) => void endings.push(clean) }, tarball);
    if (typeof outcome === 'string') return { check: name, outcome: 'ok', details: outcome };
    return { check: name, outcome: 'not run', details: outcome.missing };
  } catch (error) {
    return { check: name, outcome: 'failed', details: (error as Error).message };
  } finally {
    for (const end of endings) await end();
  }
}

function print(rows: readonly Row[]): void {
  const short = rows.map(({ check, outcome, details }) => [check, outcome, details.split('\n')[0]]);
  process.stdout.write(`\n${formatTable(['CHECK', 'OUTCOME', ''], short)}`);
  for (const { check, details } of rows.filter(({ outcome }) => outcome === 'failed'))
    process.stdout.write(`\n--- ${check} ---\n${details}\n`);
}

process.exitCode = 1;
void main().then(
  (code) => {
    process.exitCode = code;
  },
  (error: Error) => process.stderr.write(`pack-check: ${error.message}\n`),
);
