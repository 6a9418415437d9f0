// Does one step: `node one.mjs ADDON NAME TIMES`, so many times (for who counts instructions); without TIMES it prints the
// nanoseconds of one, the best of several stretches.
import { createRequire } from 'node:module';

import { steps } from './steps.mjs';

const kStretches = 9;
const kStretchMs = 60;

const [file, name, times] = process.argv.slice(2);
const run = steps.find((step) => step.name === name).make(createRequire(import.meta.url)(file));
if (times === undefined) console.log(await nanoseconds());
else await run(Number(times));
process.exit(0);

async function nanoseconds() {
  let count = 1000;
  while ((await elapsedMs(count)) < kStretchMs) count *= 2;
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < kStretches; i++) best = Math.min(best, await elapsedMs(count));
  return (best * 1e6) / count;
}

async function elapsedMs(count) {
  const before = performance.now();
  await run(count);
  return performance.now() - before;
}
