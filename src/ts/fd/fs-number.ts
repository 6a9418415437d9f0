// Whether node:fs works with a descriptor that something else has opened: Deno's fails with EBADF.
import { closeSync, fstatSync, openSync } from 'node:fs';
import { hasCode } from '../base/errors';
import type { Fd } from './fd';

/** @param fd open */
export function isKnownToFs(fd: Fd): boolean {
  try {
    fstatSync(fd.fd);
    return true;
  } catch (error) {
    if (hasCode(error, 'EBADF')) return false;
    throw error;
  }
}

/**
 * Calls `use` with a number for node:fs: that of `fd`, which is lent, or where that is unknown one of the same file,
 * with an offset of its own.
 */
export function withFsNumber<T>(fd: Fd, flags: 'r' | 'r+', use: (number: number) => T): T {
  if (isKnownToFs(fd)) return use(fd.fd);
  const number = openSync(`/proc/self/fd/${fd.fd}`, flags);
  try {
    return use(number);
  } finally {
    closeSync(number);
  }
}
