// Makes everything ready and runs the demo with the arguments given; its exit status is ours.
import { existsSync } from 'node:fs';

import { build } from './build.mjs';
import { fromRoot } from './lib/root.mjs';
import { keepStdoutForTheResult, runToEnd } from './lib/run.mjs';
import { compileTests } from './lib/typescript.mjs';
import { setup } from './setup.mjs';

const demo = fromRoot('out/demo/main.js');
const args = process.argv.slice(2);
keepStdoutForTheResult();
if (!args.includes('--help') || !existsSync(demo)) {
  await setup();
  await build();
  await compileTests();
}
const { code } = await runToEnd(process.execPath, [demo, ...args], { stdio: 'inherit' });
process.exitCode = code;
