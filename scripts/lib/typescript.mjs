// Compiles TypeScript: the package into dist/, the types of all its parts into types/, its tests, demo and examples into out/.
import { rmSync } from 'node:fs';

import { copyReachable } from './declarations.mjs';
import { fromRoot, localBin } from './root.mjs';
import { run } from './run.mjs';

// Both start from an empty folder: the output of a removed source would still be found.
export async function compilePackage() {
  rmSync(fromRoot('dist'), { recursive: true, force: true });
  // Twice, because who reads comments reads them in the declarations: in both they are a seventh of the tarball.
  const tsc = (title, ...options) => run(title, localBin('tsc'), ['-p', 'tsconfig.json', ...options]);
  await tsc('tsc: dist', '--removeComments', '--declaration', 'false');
  rmSync(fromRoot('types'), { recursive: true, force: true });
  await tsc('tsc: declarations', '--emitDeclarationOnly', '--noCheck', '--outDir', 'types');
  copyReachable(fromRoot('types'), fromRoot('dist'));
}

export async function compileTests() {
  rmSync(fromRoot('out'), { recursive: true, force: true });
  await run('tsc: tests, demo and examples', localBin('tsc'), ['-p', 'tsconfig.test.json']);
}
