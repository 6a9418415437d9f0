// Who compiles the same sources with the same compiler has the same bytes; `npm run prebuild -- --check` shows it for both CPUs.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../helpers/child';
import { tmpDir } from '../helpers/tmp-dir';
import { prebuilt, root } from './tarball';

test('the binary does not depend on the folder that it was compiled in', async (t) => {
  const here = path.join(tmpDir(t), 'fdpass.node');
  execFileSync('strip', ['--strip-all', '-o', here, path.join(root, 'build/Release/fdpass.node')]);
  const args = [path.join(root, 'scripts/prebuild.mjs'), '--dry-run', process.arch];
  const { code, stdout, stderr } = await start(t, process.execPath, args).ended;
  assert.equal(code, 0, stderr);
  const digest = createHash('sha256').update(readFileSync(here)).digest('hex');
  assert.equal(stdout, `${digest}  ${prebuilt(process.arch)}\n`);
});
