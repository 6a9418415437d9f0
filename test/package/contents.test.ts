// The tarball in short: `npm run pack-check` also looks at the one with the binaries of both CPUs.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { gzipSync } from 'node:zlib';
import { tmpDir } from '../helpers/tmp-dir';
import { complaints, deadLinks, MAX_BYTES, pack, prebuilt, stage } from './tarball';

test('the tarball has what it needs and nothing else, and stays below its budget', (t) => {
  const folder = tmpDir(t);
  stage(folder, { binary: true });
  const tarball = pack(folder, folder);
  // The one of the other CPU is not here; it takes about as much.
  const other = gzipSync(readFileSync(path.join(folder, prebuilt(process.arch)))).length;
  assert.deepEqual(complaints({ ...tarball, bytes: tarball.bytes + other }, [process.arch]), []);
});

test('every link of its documents leads to a file in it', (t) => {
  const folder = tmpDir(t);
  stage(folder, { binary: false });
  const { files } = pack(folder, folder);
  assert.deepEqual(deadLinks(folder, files), []);
  const [dead, ...more] = deadLinks(
    folder,
    files.filter((file) => file !== 'docs/commands.md'),
  );
  assert.equal(dead, 'README.md links to docs/commands.md, which is not there');
  assert.ok(more.length > 0, 'a link with a fragment, or from another folder, was not looked at');
});

test('a missing binary, a stray file and too many bytes are told', (t) => {
  const folder = tmpDir(t);
  stage(folder, { binary: false });
  const { files, path } = pack(folder, folder);
  const told = complaints({ path, files: [...files, 'test/cli/ls.test.js'], bytes: MAX_BYTES + 1 }, [
    'arm64',
  ]);
  assert.deepEqual(told, [
    'test/cli/ls.test.js does not belong there',
    'prebuilds/linux-arm64/fdpass.node is missing',
    `it has ${MAX_BYTES + 1} bytes; ${MAX_BYTES} are allowed`,
  ]);
});
