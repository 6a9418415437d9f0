// Makes a bare clone ready to build: npm's packages and Debian's tools, each only if missing.
import { isMain } from './lib/main-module.mjs';
import { isOlder } from './lib/modified.mjs';
import { npmInstall } from './lib/npm.mjs';
import { fromRoot } from './lib/root.mjs';
import { run, runToEnd, say } from './lib/run.mjs';
import { compileTools, lintTools, requireTools } from './lib/system-tools.mjs';

export async function setup({ lint = false } = {}) {
  await requireTools(lint ? [...compileTools, ...lintTools] : compileTools);
  // npm writes this file at the end of an installation.
  if (isOlder(fromRoot('node_modules/.package-lock.json'), [fromRoot('package-lock.json')])) {
    await run('npm ci', 'npm', ['ci', '--no-audit', '--no-fund']);
  }
  await installFrameworks();
}

// What only test/frameworks needs. Without a lock file: it would be twice as long as the one of the package. Where this
// fails the tests of that folder do, and name what they miss.
async function installFrameworks() {
  const folder = fromRoot('test/frameworks/packages');
  if (!isOlder(`${folder}/node_modules/.package-lock.json`, [`${folder}/package.json`])) return;
  say('npm install in test/frameworks/packages');
  // What npm says is no result of ours: to stderr.
  const { code, reason } = await runToEnd('npm', npmInstall, {
    cwd: folder,
    stdio: ['ignore', 2, 'inherit'],
  });
  if (code !== 0) say(`express, fastify, koa or ws could not be installed (${reason})`);
}

if (isMain(import.meta.url)) await setup({ lint: true });
