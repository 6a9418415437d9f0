// A folder of its own for one test, removed when the test ends.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';

/** Whoever ends: a TestContext, or `{ after }` of node:test for a whole file. */
export interface Ending {
  after(clean: () => void | Promise<void>): void;
}

/** A short path, so that the 107 bytes of an address suffice. */
export function tmpDir(t: Ending): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'fdp-'));
  t.after(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}
