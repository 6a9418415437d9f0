// The life of another process, as /proc tells it: whether a peer whose connection is over has died, or lives on.
import { readFileSync } from 'node:fs';
import { hasCode } from '../base/errors';
import type { HandoffTimeouts } from './timeouts';

/** 'unknown': this process may not look, it is this very one, or there is no such number in this pid namespace. */
export type Life = 'running' | 'stopped' | 'gone' | 'unknown';

/** Of proc_pid_stat(5), behind the name in parentheses. */
interface Stat {
  state: string;
  parent: number;
  /** Tells a process from a later one of the same number. */
  startTime: string;
}

/** How often a process is looked at that should die any moment: its descriptors are closed shortly before its end. */
const LOOK_MS = 20;

/** @returns tells, whenever it is asked, what has become of the process that has this number now */
export function rememberProcess(pid: number): () => Life {
  const known = pid === process.pid ? undefined : readStat(pid); // of a thread's end /proc says nothing
  return () => {
    if (known === undefined) return 'unknown';
    const stat = readStat(pid);
    if (stat === undefined) return exists(pid) ? 'running' : 'gone';
    if (stat.startTime !== known.startTime || /[ZXx]/.test(stat.state)) return 'gone';
    return /[Tt]/.test(stat.state) ? 'stopped' : 'running';
  };
}

/** Some process has that number: all that can be known without a free descriptor, or where /proc hides it. kill(2) */
export function exists(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch (error) {
    return !hasCode(error, 'ESRCH');
  }
}

/** How far wrappers are followed: a shell, npm, another shell. */
const MAX_ANCESTORS = 8;

/** That process is the other one, or was started by it, or by one that was. */
export function descendsFrom(pid: number, ancestor: number): boolean {
  for (let at = pid, left = MAX_ANCESTORS; at > 1 && left > 0; left--) {
    if (at === ancestor) return true;
    at = readStat(at)?.parent ?? 0;
  }
  return false;
}

interface Patience {
  seam: { setTimer(ms: number, callback: () => void, options: { hold: boolean }): () => void };
  timeouts: HandoffTimeouts;
}

/**
 * Says 'dead' as soon as the process has ended, and at once if it cannot be seen; 'alive' if it still runs after
 * `timeouts.commit`. One that is stopped then can do nothing for anybody, and counts as dead.
 */
export function seek(
  lifeOf: () => Life,
  { seam, timeouts }: Patience,
  found: (fate: 'dead' | 'alive') => void,
  leftMs = timeouts.commit,
): void {
  const life = lifeOf();
  if (life === 'gone' || life === 'unknown') found('dead');
  else if (leftMs <= 0) found(life === 'running' ? 'alive' : 'dead');
  else
    seam.setTimer(LOOK_MS, () => seek(lifeOf, { seam, timeouts }, found, leftMs - LOOK_MS), { hold: true });
}

function readStat(pid: number): Stat | undefined {
  let line: string;
  try {
    line = readFileSync(`/proc/${pid}/stat`, 'latin1');
  } catch {
    return undefined; // ENOENT, ESRCH, EMFILE, or hidepid= of /proc
  }
  const fields = line.slice(line.lastIndexOf(')') + 2).split(' ');
  return { state: fields[0] ?? '', parent: Number(fields[1]), startTime: fields[19] ?? '' };
}
