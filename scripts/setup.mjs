// Makes a bare clone ready to build: npm's packages and Debian's tools, each only if missing.
import { isMain } from './lib/main-module.mjs';
import { isOlder } from './lib/modified.mjs';
import { fromRoot } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { compileTools, lintTools, requireTools } from './lib/system-tools.mjs';

export async function setup({ lint = false } = {}) {
  await requireTools(lint ? [...compileTools, ...lintTools] : compileTools);
  // npm writes this file at the end of an installation.
  if (isOlder(fromRoot('node_modules/.package-lock.json'), [fromRoot('package-lock.json')])) {
    await run('npm ci', 'npm', ['ci', '--no-audit', '--no-fund']);
  }
}

if (isMain(import.meta.url)) await setup({ lint: true });
