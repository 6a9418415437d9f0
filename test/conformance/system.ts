// What the kernel is set to, what a descriptor's flags are, and how much CPU time something takes.
import { readFileSync } from 'node:fs';

/** sysctl('net/unix/max_dgram_qlen') */
export function sysctl(name: string): number {
  return Number(readFileSync(`/proc/sys/${name}`, 'latin1'));
}

/** A field of /proc/self/fdinfo, or of another process's. proc_pid_fdinfo(5) */
export function fdInfo(fd: number, field: string): string | undefined {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  return new RegExp(`^${field}:\\s+(.*)$`, 'm').exec(text)?.[1];
}

// Of include/uapi/asm-generic/fcntl.h.
const O_NONBLOCK = 0o4000;

export function isNonBlocking(fd: number): boolean {
  return (Number.parseInt(fdInfo(fd, 'flags') ?? '0', 8) & O_NONBLOCK) !== 0;
}

/**
 * The share of one processor that this process uses while it waits. A loop that spins uses about 1;
 * a busy machine makes the share smaller, never larger.
 */
export async function cpuShareWhile(wait: () => Promise<unknown>): Promise<number> {
  const [start, used] = [performance.now(), process.cpuUsage()];
  await wait();
  const { user, system } = process.cpuUsage(used);
  return (user + system) / 1000 / (performance.now() - start);
}

/** Above what waiting takes, far below what spinning takes. */
export const IDLE = 0.5;

export function milliseconds(count: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, count));
}
