// One installation by one package manager in a fresh folder, and whether what is there then works.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import type { Ending } from '../helpers/tmp-dir';
import { FORGET, forget, type Manager, type Way } from './managers';
import { User } from './user';

/** What package managers say of a package that has scripts to be run. */
const SCRIPTS = /(build|install) ?scripts?\b.*fdpass|fdpass.*\b(build|install) ?scripts?\b/is;

/**
 * Where there is no compiler.
 * @returns how long the last step took, in milliseconds
 * @throws Error that says what does not work
 */
export async function install(t: Ending, manager: Manager, way: Way, tarball: string): Promise<number> {
  const user = new User(t, { ...(manager.node && { node: manager.node }) });
  const milliseconds = await installAs(user, manager, way, tarball);
  const folder = await user.use(manager.startsNode ?? ['node']);
  assert.ok(!existsSync(path.join(folder, 'build')), 'it was compiled');
  return milliseconds;
}

/** Of a tarball without a prebuilt binary; then `fdpass build`. */
export async function installAndBuild(t: Ending, manager: Manager, tarball: string): Promise<void> {
  const user = new User(t, { ...(manager.node && { node: manager.node }) });
  await installAs(user, manager, manager.ways[0], tarball);
  await user.must([...manager.command, ...manager.exec], ['fdpass', 'build'], user.envOfBuilder);
  const folder = await user.use(manager.startsNode ?? ['node']);
  assert.ok(existsSync(path.join(folder, 'build/Release/fdpass.node')));
}

/** @returns how long the last step took, in milliseconds */
async function installAs(user: User, { command }: Manager, way: Way, tarball: string): Promise<number> {
  way.prepare?.(user);
  let milliseconds = 0;
  for (const step of way.steps(tarball)) {
    if (step === FORGET) {
      forget(user);
      continue;
    }
    const before = performance.now();
    const { stdout, stderr } = await user.must(command, step);
    milliseconds = performance.now() - before;
    assert.doesNotMatch(stdout + stderr, SCRIPTS, 'the package manager speaks of scripts');
  }
  return milliseconds;
}
