// What differs for a user without privileges.
import { statSync } from 'node:fs';
import path from 'node:path';

export const NOBODY = 65_534;

/** Only root can become somebody else. */
export const isRoot = process.getuid?.() === 0;

/** For good; files that are loaded later must be readable for everybody. */
export function becomeNobody(): void {
  process.setgroups?.([]);
  process.setgid?.(NOBODY);
  process.setuid?.(NOBODY);
}

/** For a test that starts one of our programs as that user. */
export const asNobody = { skip: whyNotAsNobody() };

function whyNotAsNobody(): string | false {
  if (!isRoot) return 'needs root to start a process of another user';
  return (
    !isOpenToAll(__dirname) &&
    'needs a folder that other users can enter, to start a program here as one of them'
  );
}

/** It and those that it lies in: in /root, say, nobody else can load a file. */
function isOpenToAll(folder: string): boolean {
  if ((statSync(folder).mode & 0o001) === 0) return false;
  return path.dirname(folder) === folder || isOpenToAll(path.dirname(folder));
}
