// Says whether what is here can be published: see --help.
import { parseArgs } from 'node:util';

import { build } from './build.mjs';
import { cpus } from './lib/prebuild/cpus.mjs';
import { binaryFindings } from './lib/release/binaries.mjs';
import { findings } from './lib/release/findings.mjs';
import { fromRoot, root } from './lib/root.mjs';
import { keepStdoutForTheResult, runToEnd } from './lib/run.mjs';
import { compileTests } from './lib/typescript.mjs';
import { setup } from './setup.mjs';

const help = `npm run release-check

Looks at everything that has to be true of a release, and publishes nothing:
  repository   package.json names it; provenance needs that
  changelog    has the version of package.json, with a date
  tree         everything is committed
  prebuilds    each is there, is byte for byte what the sources compile to, asks for nothing that a supported libc lacks,
               and loads: another CPU's under qemu-user, where that is installed

Before it: npm test, npm run prebuild, npm run pack-check. After it: a tag, from which .github/workflows/release.yml publishes.
Exit status 0 if nothing is wrong, 1 otherwise.
`;

const { values } = parseArgs({ options: { help: { type: 'boolean', short: 'h' } } });
if (values.help) process.stdout.write(help);
else await check();

async function check() {
  keepStdoutForTheResult();
  await setup();
  const all = findings(root);
  for (const cpu of cpus) all.push(...(await binaryFindings(cpu)));
  all.push(await symbols());
  for (const { what, ok, says } of all) process.stdout.write(`${mark(ok)} ${what}: ${says}\n`);
  process.exitCode = all.some(({ ok }) => ok === false) ? 1 : 0;
}

async function symbols() {
  await build();
  await compileTests();
  const args = ['--test', fromRoot('out/test/package/binary.test.js')];
  const { code, reason } = await runToEnd(process.execPath, args, { stdio: ['ignore', 2, 2] });
  const says = code === 0 ? 'of every libc and of Node only' : `${reason}; the test says which`;
  return { what: 'symbols', ok: code === 0, says };
}

function mark(ok) {
  if (ok === undefined) return '?   ';
  return ok ? 'ok  ' : 'NO  ';
}
