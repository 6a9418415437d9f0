// Compiles the addon for one CPU from a copy of its sources: build/ of the repository stays what this machine loads.
import { cpSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { headersEnvironment } from '../node-headers.mjs';
import { fromRoot, localBin } from '../root.mjs';
import { run } from '../run.mjs';
import { prebuiltFile, toolchainOf } from './cpus.mjs';

const sources = ['package.json', 'binding.gyp', 'src/native'];

// `use` gets the path of the stripped binary, which is gone afterwards. @returns what `use` gives
export async function compileInFreshFolder(cpu, name, use) {
  const temporary = mkdtempSync(path.join(tmpdir(), 'fdpass-prebuild-'));
  try {
    const folder = path.join(temporary, name);
    mkdirSync(folder);
    for (const source of sources) cpSync(fromRoot(source), path.join(folder, source), { recursive: true });
    symlinkSync(fromRoot('node_modules'), path.join(folder, 'node_modules'));
    const args = [
      '--napi',
      '--strip',
      '--platform',
      'linux',
      '--arch',
      cpu,
      '--cwd',
      folder,
      '--out',
      folder,
    ];
    const env = { ...headersEnvironment(), JOBS: 'max', ...toolchainOf(cpu).env };
    await run(`prebuildify ${cpu}`, localBin('prebuildify'), args, { env });
    return use(path.join(folder, prebuiltFile(cpu)));
  } finally {
    rmSync(temporary, { recursive: true, force: true });
  }
}
