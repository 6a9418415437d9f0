// Counting the descriptors of this process, and what one of them is.
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';

/** The folder's own descriptor is in every count alike. */
export function fdCount(): number {
  return readdirSync('/proc/self/fd').length;
}

/**
 * The count after libuv has closed what was given to uv_close(), two turns of the loop later, and once it stays: Bun goes on to
 * the next test while streams of the last one are still about to close.
 */
export async function settledFdCount(): Promise<number> {
  for (let before = -1; ; ) {
    await nextTurn();
    await nextTurn();
    const count = fdCount();
    if (count === before) return count;
    before = count;
  }
}

/** 'socket:[123]', 'pipe:[45]' or a path: equal for two descriptors of one thing. */
export function identity(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`);
}

// O_CLOEXEC of include/uapi/asm-generic/fcntl.h; fdinfo prints the flags in octal. proc_pid_fdinfo(5)
const O_CLOEXEC = 0o2000000;

export function isCloseOnExec(fd: number): boolean {
  const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
  return (Number.parseInt(flags ?? '0', 8) & O_CLOEXEC) !== 0;
}
