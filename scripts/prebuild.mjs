// Builds the binary that the tarball carries for this machine's CPU, and tells its SHA-256.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';

import { filesBelow } from './lib/files.mjs';
import { headersEnvironment } from './lib/node-headers.mjs';
import { fromRoot, localBin, root } from './lib/root.mjs';
import { run } from './lib/run.mjs';
import { setup } from './setup.mjs';

await setup();
await run('prebuildify', localBin('prebuildify'), ['--napi', '--strip', '--arch', process.arch], {
  env: headersEnvironment(),
});
for (const file of filesBelow(fromRoot('prebuilds', `linux-${process.arch}`), ['.node'])) {
  const digest = createHash('sha256').update(readFileSync(file)).digest('hex');
  console.log(`${digest}  ${path.relative(root, file)}`);
}
