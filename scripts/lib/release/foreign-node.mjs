// A Node for another CPU: from the npm registry, under qemu-user with the libraries that the cross compiler brings.
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';

import { fromRoot } from '../root.mjs';

const version = '24.21.0';
const emulated = {
  arm64: { qemu: 'qemu-aarch64-static', libraries: '/usr/aarch64-linux-gnu' },
};

// Gives { command }, or { missing }: what it takes.
export function nodeFor(cpu) {
  if (cpu === process.arch) return { command: [process.execPath] };
  const { qemu, libraries } = emulated[cpu] ?? {};
  if (qemu === undefined || spawnSync(qemu, ['--version']).status !== 0)
    return { missing: 'there is no qemu-user for it here (Debian: qemu-user-static)' };
  const name = `node-linux-${cpu}`;
  const folder = fromRoot('node_modules/.cache', `${name}-${version}`);
  const node = `${folder}/node_modules/${name}/bin/node`;
  if (!existsSync(node)) {
    const options = ['--no-save', '--no-package-lock', '--ignore-scripts', '--force', '--prefix', folder];
    try {
      execFileSync('npm', ['install', ...options, `${name}@${version}`], { stdio: 'pipe' });
    } catch (error) {
      return { missing: `${name} could not be installed: ${error.stderr}` };
    }
  }
  return { command: [qemu, '-L', libraries, node] };
}
