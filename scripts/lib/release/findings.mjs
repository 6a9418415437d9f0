// What has to be true of a folder before its package is published, apart from the binaries. Each check gives
// { what, ok, says }.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

export function findings(folder) {
  const manifest = JSON.parse(readFileSync(path.join(folder, 'package.json'), 'utf8'));
  return [repository(manifest), changelog(folder, manifest), tree(folder)];
}

function repository({ repository }) {
  const url = typeof repository === 'string' ? repository : repository?.url;
  const says =
    url ??
    'package.json has none. The provenance statement names it, and the registry compares: fill in "repository": { "type": "git", ' +
      '"url": "git+https://HOST/OWNER/NAME.git" } with the public repository that the workflow runs in, and "bugs" and "homepage"';
  return { what: 'repository', ok: url !== undefined, says };
}

function changelog(folder, { version }) {
  const heading = `## [${version}] - `;
  const text = readFileSync(path.join(folder, 'CHANGELOG.md'), 'utf8');
  const line = text.split('\n').find((one) => one.startsWith(heading) && /- \d{4}-\d{2}-\d{2}$/.test(one));
  const says =
    line ?? `CHANGELOG.md has no "${heading}YYYY-MM-DD": give the entries of [Unreleased] this heading`;
  return { what: 'changelog', ok: line !== undefined, says };
}

function tree(folder) {
  const changed = execFileSync('git', ['status', '--porcelain'], { cwd: folder, encoding: 'utf8' }).trimEnd();
  if (changed === '') return { what: 'tree', ok: true, says: `clean, ${commit(folder)}` };
  const says = `not committed:\n${changed}\nThe package would not be what its commit says`;
  return { what: 'tree', ok: false, says };
}

function commit(folder) {
  return execFileSync('git', ['rev-parse', 'HEAD'], { cwd: folder, encoding: 'utf8' }).trim();
}
