// Makes everything ready and runs a compiled program of ours with the arguments given; its exit status is ours.
import { existsSync } from 'node:fs';

import { build } from '../build.mjs';
import { setup } from '../setup.mjs';
import { fromRoot } from './root.mjs';
import { keepStdoutForTheResult, runToEnd } from './run.mjs';
import { compileTests } from './typescript.mjs';

export async function runCompiled(file, args = process.argv.slice(2)) {
  const program = fromRoot('out', file);
  keepStdoutForTheResult();
  if (!args.includes('--help') || !existsSync(program)) {
    await setup();
    await build();
    await compileTests();
  }
  const { code } = await runToEnd(process.execPath, [program, ...args], { stdio: 'inherit' });
  process.exitCode = code;
}
