// Builds what the package loads: the addon into build/Release, if a source changed, and dist/.
import { filesBelow } from './lib/files.mjs';
import { isMain } from './lib/main-module.mjs';
import { isOlder } from './lib/modified.mjs';
import { headersEnvironment } from './lib/node-headers.mjs';
import { fromRoot, localBin } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { compilePackage } from './lib/typescript.mjs';

const quiet = ['--loglevel=warn'];

export async function build() {
  await buildAddon();
  await compilePackage();
}

async function buildAddon() {
  const sources = [...filesBelow(fromRoot('src/native')), fromRoot('binding.gyp')];
  if (!isOlder(fromRoot('build/Release/fdpass.node'), sources)) return;
  const env = headersEnvironment();
  // Warnings are errors here; a user's newer compiler may warn.
  await run('addon: configure', localBin('node-gyp'), ['configure', ...quiet, '--', '-Dwerror=-Werror'], {
    env,
  });
  await run('addon: compile', localBin('node-gyp'), ['build', ...quiet, '--jobs=max'], { env });
}

if (isMain(import.meta.url)) await build();
