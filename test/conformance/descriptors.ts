// What a row may not change: the descriptors of its process.
import { readdirSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** How often each socket, pipe or file is open. */
type Descriptors = Map<string, number>;

/** libuv closes in later turns of its loop, and the kernel frees what a dead process had: this long at most. */
const PATIENCE_MS = 3000;

// libuv's own, opened on first use: see test/helpers/fd-guard.ts.
const OF_NODE = /^anon_inode:(\[eventpoll\]|\[eventfd\]|inotify|\[io_uring\])$/;

export function openDescriptors(): Descriptors {
  const open: Descriptors = new Map();
  for (const number of readdirSync('/proc/self/fd')) {
    const target = targetOf(number);
    if (target !== undefined && !OF_NODE.test(target)) open.set(target, (open.get(target) ?? 0) + 1);
  }
  return open;
}

/** Resolves when nothing is open that was not; fails, naming what is, if that does not come to be. */
export async function settled(before: Descriptors): Promise<void> {
  const deadline = performance.now() + PATIENCE_MS;
  for (;;) {
    const left = difference(before, openDescriptors());
    if (left.length === 0) return;
    if (performance.now() > deadline) throw new Error(`descriptors are not as before: ${left.join(', ')}`);
    await nextTurn();
  }
}

function difference(before: Descriptors, after: Descriptors): string[] {
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((target) => {
    const change = (after.get(target) ?? 0) - (before.get(target) ?? 0);
    return change === 0 ? [] : [`${change > 0 ? '+' : ''}${change} ${target}`];
  });
}

function targetOf(number: string): string | undefined {
  try {
    return readlinkSync(`/proc/self/fd/${number}`);
  } catch {
    return undefined; // the descriptor by which the folder was read
  }
}
