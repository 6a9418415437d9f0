// The commands that come from Debian rather than from npm: which are missing, and their installation.
import { accessSync, constants } from 'node:fs';
import path from 'node:path';

import { fail, run } from './run.mjs';

// A command that has the name of its package, or both: { command, package }.
export const compileTools = ['g++', 'make', 'python3'];
export const lintTools = ['clang-format'];

// Packages that tests use where they are installed, and do without elsewhere: they come along with what is missing.
const testEquipment = ['netcat-openbsd'];

export async function requireTools(tools) {
  const missing = tools.filter((tool) => !isOnPath(tool.command ?? tool)).map((tool) => tool.package ?? tool);
  if (missing.length === 0) return;
  const packages = missing.join(' ');
  if (process.getuid() !== 0 || !isOnPath('apt-get')) {
    fail(`missing: ${packages}. Install the Debian packages of that name: apt-get install ${packages}`);
  }
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' };
  await run('apt-get update', 'apt-get', ['update', '-q'], { env });
  const install = ['install', '-q', '-y', '--no-install-recommends', ...missing, ...testEquipment];
  await run(`apt-get install ${packages}`, 'apt-get', install, { env });
}

function isOnPath(command) {
  const folders = (process.env.PATH ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => isExecutable(path.join(folder, command)));
}

function isExecutable(file) {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
