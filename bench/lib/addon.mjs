// Compiles an addon of ours out of one file, against the headers of the Node that runs.
import { mkdirSync, renameSync } from 'node:fs';
import path from 'node:path';

import { failureOf } from './output.mjs';
import { fromBench } from './place.mjs';

/**
 * @param source below bench/
 * @returns why not, or undefined
 */
export async function compileAddon(source, target) {
  mkdirSync(fromBench('build'), { recursive: true });
  const include = process.env.npm_config_nodedir ?? path.dirname(path.dirname(process.execPath));
  const flags = ['-shared', '-fPIC', '-O2', '-Wall', '-DNAPI_VERSION=8'];
  const headers = ['-I', path.join(include, 'include/node')];
  const half = `${target}.${process.pid}`; // another benchmark may be about to load the file
  const failure = await failureOf(process.env.CC ?? 'cc', [
    ...flags,
    ...headers,
    fromBench(source),
    '-o',
    half,
  ]);
  if (failure === undefined) renameSync(half, target);
  else return `${failure}. Set npm_config_nodedir to the folder in which include/node has Node's headers`;
}
