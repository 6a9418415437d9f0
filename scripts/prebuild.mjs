// Builds the binaries that the tarball carries, one for each CPU: see --help.
import { createHash } from 'node:crypto';
import { copyFileSync, mkdirSync, readFileSync, renameSync } from 'node:fs';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { isMain } from './lib/main-module.mjs';
import { compileInFreshFolder } from './lib/prebuild/compile.mjs';
import { cpus, prebuiltFile, toolchainOf } from './lib/prebuild/cpus.mjs';
import { fromRoot } from './lib/root.mjs';
import { fail, keepStdoutForTheResult, say } from './lib/run.mjs';
import { requireTools } from './lib/system-tools.mjs';
import { setup } from './setup.mjs';

const help = `npm run prebuild [-- [--check | --dry-run] [CPU ...]]

Compiles the addon for each CPU (${cpus.join(', ')}) into prebuilds/linux-CPU/fdpass.node and prints the list of their
SHA-256 on stdout, as sha256sum does. For another CPU than this machine's it uses Debian's cross compiler, and
installs that as root if it is missing.

  --check     compiles each a second time in a folder of another name and compares: the same sources and the same
              compiler give the same bytes, wherever they are
  --dry-run   writes nothing, to compare the list with one that was published
  --help

Exit status 0; 1 if a build failed or the two differ.
`;

async function main() {
  const { values, positionals } = parseArgs({
    options: {
      check: { type: 'boolean' },
      'dry-run': { type: 'boolean' },
      help: { type: 'boolean', short: 'h' },
    },
    allowPositionals: true,
  });
  if (values.help) return void process.stdout.write(help);
  const unknown = positionals.find((cpu) => !cpus.includes(cpu));
  if (unknown !== undefined) fail(`CPU is one of ${cpus.join(', ')}, not "${unknown}"`);
  keepStdoutForTheResult();
  await setup();
  for (const cpu of positionals.length > 0 ? positionals : cpus) {
    process.stdout.write(`${await prebuild(cpu, { check: values.check, keep: !values['dry-run'] })}\n`);
  }
}

// @returns its line in the list
export async function prebuild(cpu, { check = false, keep = true } = {}) {
  await requireTools(toolchainOf(cpu).tools);
  const first = await digestOfBuild(cpu, 'one', keep);
  if (check) {
    const second = await digestOfBuild(cpu, 'another-and-longer-one', false);
    if (first !== second) fail(`${cpu}: two builds differ, ${first} and ${second}`);
    say(`${cpu}: two builds in two folders are the same`);
  }
  return `${first}  ${prebuiltFile(cpu)}`;
}

async function digestOfBuild(cpu, folder, keep) {
  return await compileInFreshFolder(cpu, folder, (file) => {
    if (keep) replaceFile(fromRoot(prebuiltFile(cpu)), file);
    return createHash('sha256').update(readFileSync(file)).digest('hex');
  });
}

// By a rename: whoever has the old one loaded keeps it.
function replaceFile(target, file) {
  mkdirSync(path.dirname(target), { recursive: true });
  copyFileSync(file, `${target}.new`);
  renameSync(`${target}.new`, target);
}

if (isMain(import.meta.url)) await main();
