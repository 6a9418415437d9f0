// Checks the layout and the lint rules of the sources; with --fix it applies them.
import { execFileSync } from 'node:child_process';

import { filesBelow } from './lib/files.mjs';
import { isMain } from './lib/main-module.mjs';
import { fromRoot, localBin } from './lib/root.mjs';
import { run, say } from './lib/run.mjs';

// Debian 12's. Other versions lay out some constructs differently, so there is one that decides.
const clangFormatVersion = '14';

export async function lint({ fix = false } = {}) {
  await run('biome', localBin('biome'), ['check', '--error-on-warnings', ...(fix ? ['--write'] : [])]);
  const version = /version (\d+)/.exec(
    execFileSync('clang-format', ['--version'], { encoding: 'utf8' }),
  )?.[1];
  if (version !== clangFormatVersion) {
    say(`clang-format skipped: version ${version} is here, ${clangFormatVersion} decides`);
    return;
  }
  const files = ['src/native', 'test/native', 'bench/programs', 'bench/micro'].flatMap((folder) =>
    filesBelow(fromRoot(folder), ['.cc', '.c', '.h']),
  );
  await run('clang-format', 'clang-format', [...(fix ? ['-i'] : ['--dry-run', '-Werror']), ...files]);
}

if (isMain(import.meta.url)) await lint({ fix: process.argv.includes('--fix') });
