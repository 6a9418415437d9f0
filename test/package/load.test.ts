// The import where the binary is missing or does not load: the error says which of these it is, and what to do first.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { tmpDir } from '../helpers/tmp-dir';
import { prebuilt, root, stage } from './tarball';

/** @returns the code and the message of the error, in a line */
function errorOf(folder: string, before = ''): string {
  const program = `${before}; try { require(process.argv[1]) } catch (error) { console.log(error.code, error.message) }`;
  const env = { ...process.env, NODE_PATH: path.join(root, 'node_modules') };
  const { stdout, stderr } = spawnSync(process.execPath, ['-e', program, folder], { env, encoding: 'utf8' });
  assert.equal(stderr, '');
  return stdout.trim();
}

test('a package that was copied or bundled without its binary says so first', (t) => {
  const folder = tmpDir(t);
  stage(folder, { binary: false });
  const said = errorOf(folder);
  const missing = path.join(folder, prebuilt(process.arch));
  assert.ok(
    said.startsWith(`ERR_FDPASS_NO_BINARY fdpass is without its binary: there is no ${missing}. `),
    said,
  );
  assert.match(said, /--external:fdpass\), or copy .*; or compile one .*: npx fdpass build$/);
});

test('a binary that does not load is no missing one: what the system said is told', (t) => {
  const folder = tmpDir(t);
  stage(folder, { binary: false });
  const file = path.join(folder, prebuilt(process.arch));
  mkdirSync(path.dirname(file), { recursive: true });
  writeFileSync(file, 'no ELF');
  const said = errorOf(folder);
  assert.match(
    said,
    /^ERR_FDPASS_NO_BINARY the binary of fdpass does not load: .*fdpass\.node: .*Deno takes --allow-ffi/,
  );
});

test('on a CPU that the package has no binary for, the first thing is to compile one', (t) => {
  const folder = tmpDir(t);
  stage(folder, { binary: false });
  const said = errorOf(folder, "Object.defineProperty(process, 'arch', { value: 'riscv64' })");
  assert.match(
    said,
    /^ERR_FDPASS_NO_BINARY fdpass has no binary for linux-riscv64: compile one .*: npx fdpass build$/,
  );
});
