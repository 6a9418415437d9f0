// The command line of the package, as npm installs it.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Child, type Ended, start } from './child';
import type { Ending } from './tmp-dir';

const manifest = require.resolve('fdpass/package.json');

export const { bin, version } = JSON.parse(readFileSync(manifest, 'utf8')) as {
  bin: { fdpass: string };
  version: string;
};

export function startCli(t: Ending, ...args: string[]): Child {
  return start(t, process.execPath, [path.join(path.dirname(manifest), bin.fdpass), ...args]);
}

export function runCli(t: Ending, ...args: string[]): Promise<Ended> {
  return startCli(t, ...args).ended;
}
