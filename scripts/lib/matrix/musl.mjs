// Bun for musl on a machine of glibc: Debian has musl's loader and no C++ library for it. The few functions of libstdc++
// that the binary takes are linked from GCC's archive into a shared library of its own beside it, and the binary looks there.
import { execFileSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import path from 'node:path';

import { requireTools } from '../system-tools.mjs';

const source = path.join(import.meta.dirname, 'musl-shim.c');

// The path of a binary that runs here, made beside the given one on first use.
export async function runsUnderMusl(binary) {
  const folder = path.dirname(binary);
  const prepared = path.join(folder, 'bun-here');
  if (existsSync(prepared)) return prepared;
  await requireTools([{ command: 'musl-gcc', package: 'musl-tools' }, 'g++', 'patchelf', 'readelf']);
  linkStandardLibrary(symbolsOf(binary), path.join(folder, 'libstdc++.so.6'));
  const unfinished = `${prepared}.${process.pid}`;
  try {
    execFileSync('patchelf', ['--set-rpath', '$ORIGIN', '--output', unfinished, binary]);
    renameSync(unfinished, prepared);
  } finally {
    rmSync(unfinished, { force: true });
  }
  return prepared;
}

// What the binary takes from the C++ library, by its relocations: mangled names, and those of the C++ ABI.
function symbolsOf(binary) {
  const relocations = execFileSync('readelf', ['-rW', binary], { encoding: 'utf8', maxBuffer: 1 << 26 });
  const names = [...relocations.matchAll(/R_\w+_(?:JUMP_SLO\w*|GLOB_DAT|COPY)\s+\w+\s+(_Z\w+|__cxa_\w+)/g)];
  return [...new Set(names.map(([, name]) => name))];
}

function linkStandardLibrary(symbols, output) {
  const fromGcc = (name) => execFileSync('g++', [`-print-file-name=${name}`], { encoding: 'utf8' }).trim();
  const wanted = [...symbols, '__dynamic_cast', '__once_proxy'].map((symbol) => `-Wl,-u,${symbol}`);
  const archives = ['libstdc++.a', 'libgcc_eh.a', 'libgcc.a'].map(fromGcc);
  const ends = { first: fromGcc('crtbeginS.o'), last: fromGcc('crtendS.o') };
  const flags = ['-shared', '-fPIC', '-nostdlib', '-Wl,-soname,libstdc++.so.6', ...wanted];
  execFileSync('g++', [
    ...flags,
    '-o',
    output,
    ends.first,
    '-x',
    'c',
    source,
    '-x',
    'none',
    ...archives,
    ends.last,
  ]);
}
