// Whether each binary of the tarball is what the sources compile to, and loads. As findings.mjs, with `ok` undefined
// where this machine cannot tell.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';

import { prebuild } from '../../prebuild.mjs';
import { prebuiltFile } from '../prebuild/cpus.mjs';
import { fromRoot } from '../root.mjs';
import { nodeFor } from './foreign-node.mjs';

export async function binaryFindings(cpu) {
  const file = prebuiltFile(cpu);
  if (!existsSync(fromRoot(file))) return [{ what: file, ok: false, says: 'missing: npm run prebuild' }];
  return [await isCurrent(cpu, file), loads(cpu, file)];
}

async function isCurrent(cpu, file) {
  const digest = createHash('sha256')
    .update(readFileSync(fromRoot(file)))
    .digest('hex');
  const ok = (await prebuild(cpu, { keep: false })) === `${digest}  ${file}`;
  const says = ok ? `sha256 ${digest}` : 'the sources compile to something else: npm run prebuild';
  return { what: file, ok, says };
}

function loads(cpu, file) {
  const what = `${file} loads`;
  const { command, missing } = nodeFor(cpu);
  if (command === undefined) return { what, ok: undefined, says: `not tried: ${missing}` };
  const [program, ...args] = [...command, '-p', `Object.keys(require('./${file}')).length`];
  try {
    const verbs = execFileSync(program, args, { cwd: fromRoot(), encoding: 'utf8', stdio: 'pipe' }).trim();
    return { what, ok: Number(verbs) > 0, says: `${verbs} functions` };
  } catch (error) {
    return { what, ok: false, says: error.stderr?.trim() || error.message };
  }
}
