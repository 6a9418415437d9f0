// How this very program was started, so that it can be started once more: also where a symbolic link, such as a
// deployment's `current`, leads to another release by now.
import { type BigIntStats, statSync } from 'node:fs';
import path from 'node:path';

export interface OwnCommand {
  command: string;
  args: readonly string[];
  /** undefined: the directory that this process is in. */
  cwd: string | undefined;
}

export interface WorkingDirectory {
  /** The name that the shell went by, from $PWD: the kernel only knows where its links led. */
  logical: string;
  /** What the kernel calls it. */
  physical: string;
  inode: BigIntStats;
}

/** undefined: $PWD is missing, or names something else. */
function workingDirectory(): WorkingDirectory | undefined {
  const logical = process.env['PWD'];
  if (logical === undefined || !path.isAbsolute(logical)) return undefined;
  const inode = directory('.');
  const named = directory(logical);
  if (inode === undefined || named === undefined || !same(inode, named)) return undefined;
  return { logical, physical: process.cwd(), inode };
}

/** At the start: later the link may lead elsewhere. */
const atStart = workingDirectory();

export function ownCommand(): OwnCommand {
  const [, program, ...rest] = process.argv;
  const cwd = atStart !== undefined && standsIn(atStart) ? atStart.logical : undefined;
  const own = program === undefined ? [] : [cwd === undefined ? program : rebase(program, atStart), ...rest];
  return { command: process.execPath, args: [...process.execArgv, ...own], cwd };
}

/** This process has not gone elsewhere, and the name still leads to a directory. */
function standsIn({ logical, inode }: WorkingDirectory): boolean {
  const now = directory('.');
  return now !== undefined && same(now, inode) && directory(logical) !== undefined;
}

// Node has made `node server.js` absolute, by the physical name.
function rebase(program: string, from: WorkingDirectory | undefined): string {
  if (from === undefined || !path.isAbsolute(program)) return program;
  const below = path.relative(from.physical, program);
  return below === '..' || below.startsWith('../') ? program : path.join(from.logical, below);
}

/** undefined: it is none, or may not be looked at. */
function directory(name: string): BigIntStats | undefined {
  try {
    const status = statSync(name, { bigint: true });
    return status.isDirectory() ? status : undefined;
  } catch {
    return undefined;
  }
}

function same(one: BigIntStats, other: BigIntStats): boolean {
  return one.dev === other.dev && one.ino === other.ino;
}
