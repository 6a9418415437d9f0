// What a descriptor is open for, as /proc tells: nothing in fstat(2) says it.
import { constants, readFileSync, readlinkSync } from 'node:fs';

/** Both false: opened with O_PATH. open(2) */
export interface Access {
  readable: boolean;
  writable: boolean;
}

// O_PATH of include/uapi/asm-generic/fcntl.h.
const O_PATH = 0o10000000;

/** O_ACCMODE is the last two bits of the flags, which are octal. proc_pid_fdinfo(5) */
export function accessOf(fd: number): Access {
  const text = readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1');
  const flags = Number.parseInt(/^flags:\s+([0-7]+)$/m.exec(text)?.[1] ?? '2', 8);
  if ((flags & O_PATH) !== 0) return { readable: false, writable: false };
  const mode = flags & (constants.O_WRONLY | constants.O_RDWR);
  return { readable: mode !== constants.O_WRONLY, writable: mode !== constants.O_RDONLY };
}

/** '/etc/hosts', 'pipe:[123]', 'anon_inode:[eventfd]', 'pidfd:[7]', '/memfd:name (deleted)'. proc_pid_fd(5) */
export function linkOf(fd: number): string {
  return readlinkSync(`/proc/self/fd/${fd}`, 'latin1');
}
