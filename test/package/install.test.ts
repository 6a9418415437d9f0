// Installing with the npm that is here, where there is no compiler; `npm run pack-check` does it with all of them.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { tmpDir } from '../helpers/tmp-dir';
import { forget } from './managers';
import { npm } from './npm';
import { pack, stage } from './tarball';
import { User } from './user';

test('from a lock file the package is installed without being compiled, and works', async (t) => {
  const folder = tmpDir(t);
  stage(folder, { binary: true });
  const user = new User(t, { offline: true });
  await user.must(['node', npm], ['install', pack(folder, folder).path]);
  forget(user);
  await user.must(['node', npm], ['ci']);
  const installed = await user.use(['node']);
  assert.ok(!existsSync(path.join(installed, 'build')), 'it was compiled');
});
