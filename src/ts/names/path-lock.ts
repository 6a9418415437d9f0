// PathLock: one process at a time may decide about the file of an address.
import { lstatSync, unlinkSync } from 'node:fs';
import { hasCode, withAddress } from '../base/errors';
import { printable } from '../fd/address';
import { Fd } from '../fd/fd';
import { binding } from '../native/binding';

/** Between two attempts. Whoever holds a lock does so for a few system calls. */
const RETRY_MS = 1;

/** An flock(2) on a file beside the address. The kernel drops it with its process, however that ends. */
export class PathLock implements Disposable {
  readonly #file: Fd;
  readonly #path: Buffer;

  private constructor(file: Fd, path: Buffer) {
    this.#file = file;
    this.#path = path;
  }

  /** The lock of the file at `path`, to the byte. */
  static pathFor(path: Buffer): Buffer {
    return Buffer.concat([path, Buffer.from('.lock')]);
  }

  /**
   * @param path of the file to decide about
   * @returns undefined while somebody else holds the lock
   * @throws SystemError of open(2); ELOOP for a symbolic link
   */
  static tryTake(path: Buffer): PathLock | undefined {
    const lockPath = PathLock.pathFor(path);
    let file: Fd;
    try {
      file = Fd.own(binding.lockFile(lockPath));
    } catch (error) {
      if (hasCode(error, 'EAGAIN')) return undefined;
      throw withAddress(error, printable(lockPath));
    }
    // Whoever held it before has removed the file: a lock on a file without a name excludes nobody.
    if (inodeOf(lockPath) !== file.describe().inode) {
      file.close();
      return undefined;
    }
    return new PathLock(file, lockPath);
  }

  /**
   * Waits its turn. That blocks the thread: binding and closing are synchronous.
   * @returns undefined if it did not come in time
   * @throws as tryTake()
   */
  static take(path: Buffer, waitMs: number): PathLock | undefined {
    const end = performance.now() + waitMs;
    for (;;) {
      const lock = PathLock.tryTake(path);
      if (lock !== undefined || performance.now() >= end) return lock;
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, RETRY_MS);
    }
  }

  [Symbol.dispose](): void {
    try {
      unlinkSync(this.#path); // before others can have the lock
    } catch {
      // Left behind it locks nothing: the next one takes it again.
    } finally {
      this.#file.close();
    }
  }
}

function inodeOf(path: Buffer): bigint | undefined {
  return lstatSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
