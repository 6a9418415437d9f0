// A copy of what the tests need, in a folder that every user can read: the project may be in one that they cannot.
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

import { fromRoot } from '../root.mjs';

const needed = [
  'package.json',
  'dist',
  'build/Release/fdpass.node',
  'prebuilds',
  'node_modules/node-gyp-build',
  'out/test',
  'test/conformance/cases.md',
  'docs/conformance.md',
  'scripts/lib/conformance/reporter.mjs',
];

// Returns { folder, temporary, remove }; `temporary` belongs to the user.
export function stageFor({ uid, gid }) {
  const folder = mkdtempSync(path.join(tmpdir(), 'fdpass-conformance-'));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    for (const item of needed) {
      if (existsSync(fromRoot(item))) {
        cpSync(fromRoot(item), path.join(folder, item), { recursive: true, dereference: true });
      }
    }
    openToAll(folder);
    const temporary = path.join(folder, 't');
    mkdirSync(temporary);
    chownSync(temporary, uid, gid);
    return { folder, temporary, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

function openToAll(folder) {
  chmodSync(folder, 0o755);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const file = path.join(folder, entry.name);
    if (entry.isDirectory()) openToAll(file);
    else chmodSync(file, 0o644);
  }
}
