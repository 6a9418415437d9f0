// One installation: by one package manager, in one way, in a fresh folder; and whether what is there then works.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Ending } from '../helpers/tmp-dir';
import { FORGET, forget, type Manager } from './managers';
import { User } from './user';

export interface Installed {
  /** Of the last step. */
  milliseconds: number;
}

/** @throws Error that says what does not work */
export async function install(
  t: Ending,
  manager: Manager,
  way: Manager['ways'][number],
  tarball: string,
): Promise<Installed> {
  const user = new User(t, manager.node);
  way.prepare?.(user);
  let milliseconds = 0;
  for (const step of way.steps(tarball)) {
    if (step === FORGET) {
      forget(user);
      continue;
    }
    const before = performance.now();
    const { stdout, stderr } = await user.must(manager.command, step);
    milliseconds = performance.now() - before;
    assert.doesNotMatch(
      stdout + stderr,
      /(build|install) ?scripts?\b.*fdpass|fdpass.*\b(build|install) ?scripts?\b/is,
    );
  }
  const folder = await user.use(manager.startsNode ?? ['node']);
  assert.ok(!existsSync(path.join(folder, 'build')), 'it was compiled');
  return { milliseconds };
}
