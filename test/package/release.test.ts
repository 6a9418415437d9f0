// What `npm run release-check` says of a folder, the binaries apart: it refuses, and tells what to do.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { pathToFileURL } from 'node:url';
import { tmpDir } from '../helpers/tmp-dir';
import { root } from './tarball';

interface Finding {
  what: string;
  ok: boolean;
  says: string;
}

const MODULE = pathToFileURL(path.join(root, 'scripts/lib/release/findings.mjs')).href;
const CALL = `import(process.argv[1]).then(({ findings }) => console.log(JSON.stringify(findings(process.argv[2]))))`;

function findingsOf(folder: string): Finding[] {
  return JSON.parse(execFileSync(process.execPath, ['-e', CALL, MODULE, folder], { encoding: 'utf8' }));
}

/** A commit of these two files. */
function repository(t: test.TestContext, manifest: object, changelog: string): string {
  const folder = tmpDir(t);
  writeFileSync(path.join(folder, 'package.json'), JSON.stringify({ version: '1.2.0', ...manifest }));
  writeFileSync(path.join(folder, 'CHANGELOG.md'), changelog);
  const git = (...args: string[]) => execFileSync('git', args, { cwd: folder, stdio: 'pipe' });
  git('init', '--quiet');
  git('add', '.');
  const settings = ['user.name=x', 'user.email=x@example.org', 'commit.gpgsign=false'];
  git(...settings.flatMap((one) => ['-c', one]), 'commit', '--quiet', '-m', 'x');
  return folder;
}

const options = { skip: spawnSync('git', ['--version']).status === 0 ? false : 'there is no git here' };

test('a folder that can be released is told to be one', options, (t) => {
  const url = 'git+https://example.org/fdpass.git';
  const folder = repository(t, { repository: { type: 'git', url } }, '## [1.2.0] - 2026-01-31\n');
  const [named, logged, tree] = findingsOf(folder);
  assert.deepEqual(named, { what: 'repository', ok: true, says: url });
  assert.deepEqual(logged, { what: 'changelog', ok: true, says: '## [1.2.0] - 2026-01-31' });
  assert.equal(tree?.ok, true);
});

test('a missing repository, a changelog without the version and a changed file are refused', options, (t) => {
  const folder = repository(t, {}, '## [Unreleased]\n\n## [1.1.0] - 2026-01-31\n');
  writeFileSync(path.join(folder, 'more'), '');
  const [named, logged, tree] = findingsOf(folder);
  assert.deepEqual([named?.ok, logged?.ok, tree?.ok], [false, false, false]);
  assert.match(named?.says ?? '', /fill in "repository": \{ "type": "git", "url": /);
  assert.match(logged?.says ?? '', /^CHANGELOG\.md has no "## \[1\.2\.0\] - YYYY-MM-DD"/);
  assert.match(tree?.says ?? '', /^not committed:\n\?\? more\n/);
});
