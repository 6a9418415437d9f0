// What the figures were measured on: everything that moves them and that a stranger would ask for.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import os from 'node:os';

import { fromBench } from './place.mjs';

export function describeMachine() {
  return {
    cpu: os.cpus()[0]?.model.trim() ?? 'unknown',
    processors: os.availableParallelism(),
    load: os.loadavg()[0],
    kernel: os.release(),
    node: process.version,
    maxDatagramQueue: setting('net/unix/max_dgram_qlen'),
    sendBuffer: setting('net/core/wmem_default'),
    versions: {
      cc: firstLine('cc', ['--version']),
      python: firstLine('python3', ['--version']),
      go: firstLine('go', ['version']),
      ...peers(),
    },
  };
}

/** Before a run: somebody else takes what the contenders need. */
export function isBusy({ load }) {
  return load >= 1;
}

function setting(name) {
  try {
    return Number(readFileSync(`/proc/sys/${name}`, 'utf8'));
  } catch {
    return null;
  }
}

function firstLine(command, args) {
  try {
    return execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).split(
      '\n',
    )[0];
  } catch {
    return null;
  }
}

function peers() {
  const { dependencies } = JSON.parse(readFileSync(fromBench('package.json'), 'utf8'));
  return Object.fromEntries(
    Object.keys(dependencies).map((name) => {
      const file = fromBench('node_modules', name, 'package.json');
      return [name, existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : null];
    }),
  );
}
