// Compiles the C++ unit tests of src/native/core with the sanitizers, without Node, and runs them.
import { mkdirSync } from 'node:fs';

import { filesBelow } from './lib/files.mjs';
import { isMain } from './lib/main-module.mjs';
import { fromRoot } from './lib/root.mjs';
import { run } from './lib/run.mjs';

const flags = [
  '-std=c++17',
  '-fno-exceptions',
  '-fno-rtti',
  '-Wall',
  '-Wextra',
  '-Werror',
  '-g',
  '-fsanitize=address,undefined',
  '-fno-sanitize-recover=all',
];

export async function nativeTests() {
  const sources = ['src/native/core', 'test/native'].flatMap((folder) =>
    filesBelow(fromRoot(folder), ['.cc']),
  );
  const program = fromRoot('out/native/tests');
  mkdirSync(fromRoot('out/native'), { recursive: true });
  await run('compile C++ tests', 'g++', [...flags, `-I${fromRoot('src/native')}`, ...sources, '-o', program]);
  await run('C++ tests', program, []);
}

if (isMain(import.meta.url)) await nativeTests();
