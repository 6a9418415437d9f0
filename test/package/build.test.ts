// A platform that the package has no binary for: what is said there, and `fdpass build`.
import assert from 'node:assert/strict';
import { mkdirSync, readdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { tmpDir } from '../helpers/tmp-dir';
import { npm } from './npm';
import { pack, stage } from './tarball';
import { User } from './user';

const folder = tmpDir({ after });
/** Has installed a package without a prebuilt binary. */
const user = new User({ after }, { offline: true });

before(async () => {
  stage(folder, { binary: false });
  await user.must(['node', npm], ['install', pack(folder, folder).path]);
});

test('without a binary fdpass has a help, and its other commands say what is missing', async () => {
  const fdpass = ['node', 'node_modules/.bin/fdpass'];
  assert.match((await user.must(fdpass, ['--help'])).stdout, /^ {2}build {4}compile/m);
  const { code, stderr } = await user.run(fdpass, ['ls']);
  assert.deepEqual([code, stderr.includes('npx fdpass build\n')], [1, true], stderr);
});

test('without a compiler fdpass build names what is missing and where it comes from', async () => {
  const { code, stdout, stderr } = await user.run(['node', 'node_modules/.bin/fdpass'], ['build', '--json']);
  const reason =
    /^missing on PATH: make, g\+\+, python3\. On Debian and Ubuntu: apt-get install g\+\+ make python3;/;
  const said = JSON.parse(stdout);
  assert.deepEqual([code, said.outcome, said.code], [1, 'failed', 'ERR_FDPASS_BUILD_FAILED']);
  assert.match(said.reason, reason);
  assert.equal(stderr, `fdpass build: ${said.reason}\n`);
});

test('a compiler that fails leaves nothing behind, and its exit code is told', async () => {
  const gyp = path.join(user.folder, 'node_modules/node-gyp/bin');
  mkdirSync(gyp, { recursive: true });
  writeFileSync(path.join(gyp, 'node-gyp.js'), 'process.exitCode = 7;');
  const { code, stderr } = await user.run(
    [process.execPath, 'node_modules/.bin/fdpass'],
    ['build'],
    user.envOfBuilder,
  );
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^fdpass build: node-gyp ended with exit code 7, see above\. If headers are missing: it takes Node's from /,
  );
  assert.match((await user.run(['node', '-e'], ["require('fdpass')"])).stderr, /ERR_FDPASS_NO_BINARY/);
});

test('without a binary the error names the command that compiles one, and after it the package works', async () => {
  for (const load of ["require('fdpass')", "import('fdpass')"]) {
    const { code, stderr } = await user.run(['node', '-e'], [load]);
    assert.equal(code, 1);
    assert.match(stderr, /fdpass has no binary for linux-\w+ .*: npx fdpass build$/m);
    assert.match(stderr, /code: 'ERR_FDPASS_NO_BINARY'/);
  }
  const npx = [process.execPath, npm, 'exec', '--offline', '--'];
  // Two at once, as when two services of a machine start after an update.
  const builds = [0, 1].map(() => user.must(npx, ['fdpass', 'build', '--json'], user.envOfBuilder));
  const file = path.join(user.folder, 'node_modules/fdpass/build/Release/fdpass.node');
  for (const { stdout } of await Promise.all(builds)) {
    assert.deepEqual(JSON.parse(stdout), { outcome: 'built', file });
  }
  const left = readdirSync(path.join(user.folder, 'node_modules/fdpass')).filter((name) =>
    /^build-/.test(name),
  );
  assert.deepEqual(left, []);
  assert.equal(await user.use(['node']), path.join(user.folder, 'node_modules/fdpass'));
});
