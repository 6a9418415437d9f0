// The whole check of a commit: setup, build, lint, C++ tests, then every compiled *.test.js in a process of its own.
import { parseArgs } from 'node:util';

import { build } from './build.mjs';
import { conformanceAsNobody } from './conformance.mjs';
import { filesBelow } from './lib/files.mjs';
import { fromRoot } from './lib/root.mjs';
import { fail, run, say } from './lib/run.mjs';
import { compileTests } from './lib/typescript.mjs';
import { lint } from './lint.mjs';
import { nativeTests } from './native-tests.mjs';
import { setup } from './setup.mjs';

const help = `npm test [-- FILTER]

Installs what is missing, builds, and checks everything. With FILTER it builds and runs only those
compiled test files (out/test/**/*.test.js) whose path contains FILTER: no lint, no C++ tests.
Exit status 0 if all is well, 1 otherwise.
`;

const { values, positionals } = parseArgs({
  options: { help: { type: 'boolean', short: 'h' } },
  allowPositionals: true,
});
if (values.help) process.stdout.write(help);
else await test(positionals[0]);

async function test(filter) {
  const everything = filter === undefined;
  await setup({ lint: everything });
  await build();
  if (everything) await lint();
  await compileTests();
  if (everything) await nativeTests();
  const files = filesBelow(fromRoot('out/test'), ['.test.js']);
  const chosen = everything ? files : files.filter((file) => file.slice(fromRoot().length).includes(filter));
  if (chosen.length === 0)
    fail(everything ? 'there is no test file' : `no test file has "${filter}" in its path`);
  await run(`${chosen.length} test files`, process.execPath, [
    // node --test hands these two on to the process of each file.
    '--expose-gc',
    `--require=${fromRoot('out/test/helpers/fd-guard.js')}`,
    '--test',
    '--test-reporter=spec',
    '--test-timeout=180000',
    '--test-concurrency=2',
    ...chosen,
  ]);
  // The rows have run as the current user; as another one they need a copy of all this.
  if (everything || filter === 'conformance') await conformanceAsNobody();
  say('all is well');
}
