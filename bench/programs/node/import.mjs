// How long it takes to load a package, in new processes.
import { execFileSync } from 'node:child_process';

import { percentile } from './percentile.mjs';

const kTimes = 5;
const kProgram = `const before = performance.now();
require(process.argv[1]);
console.log(performance.now() - before);`;

export function sender(contender, { directory }) {
  const once = () =>
    Number(execFileSync(process.execPath, ['-e', kProgram, contender.module], { cwd: directory }));
  const times = Array.from({ length: kTimes }, once);
  return { total: kTimes, measured: kTimes, cpuUs: 0, importMs: percentile(times, 0.5) };
}
