// Makes everything ready, with the binaries of every CPU, and checks the tarball: see --help.
import { runCompiled } from './lib/compiled.mjs';
import { filesBelow } from './lib/files.mjs';
import { isOlder } from './lib/modified.mjs';
import { cpus, prebuiltFile } from './lib/prebuild/cpus.mjs';
import { fromRoot } from './lib/root.mjs';
import { keepStdoutForTheResult } from './lib/run.mjs';
import { prebuild } from './prebuild.mjs';
import { setup } from './setup.mjs';

keepStdoutForTheResult();
if (!process.argv.includes('--help')) {
  await setup();
  const sources = filesBelow(fromRoot('src/native'));
  for (const cpu of cpus) if (isOlder(fromRoot(prebuiltFile(cpu)), sources)) await prebuild(cpu);
}
await runCompiled('test/package/main.js');
