// Compiles TypeScript: the package into dist/, its tests, demo and examples into out/.
import { rmSync } from 'node:fs';

import { fromRoot, localBin } from './root.mjs';
import { run } from './run.mjs';

// Both start from an empty folder: the output of a removed source would still be found.
export async function compilePackage() {
  rmSync(fromRoot('dist'), { recursive: true, force: true });
  // Twice, because who reads comments reads them in the declarations: in both they are a seventh of the tarball.
  const tsc = (title, ...options) => run(title, localBin('tsc'), ['-p', 'tsconfig.json', ...options]);
  await tsc('tsc: dist', '--removeComments', '--declaration', 'false');
  await tsc('tsc: declarations', '--emitDeclarationOnly', '--noCheck');
}

export async function compileTests() {
  rmSync(fromRoot('out'), { recursive: true, force: true });
  await run('tsc: tests, demo and examples', localBin('tsc'), ['-p', 'tsconfig.test.json']);
}
