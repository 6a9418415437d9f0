// PathLock: one process at a time may decide about the file of an address.
import { rmSync, statSync } from 'node:fs';
import { hasCode, withAddress } from '../base/errors';
import { Fd } from '../fd/fd';
import { binding } from '../native/binding';

/** An flock(2) on a file beside the address. The kernel drops it with its process, however that ends. */
export class PathLock implements Disposable {
  readonly #file: Fd;
  readonly #path: string;

  private constructor(file: Fd, path: string) {
    this.#file = file;
    this.#path = path;
  }

  /**
   * @returns undefined while somebody else holds the lock
   * @throws SystemError of open(2); ELOOP for a symbolic link
   */
  static tryTake(path: string): PathLock | undefined {
    let file: Fd;
    try {
      file = Fd.own(binding.lockFile(path));
    } catch (error) {
      if (hasCode(error, 'EAGAIN')) return undefined;
      throw withAddress(error, path);
    }
    // Whoever held it before has removed the file: a lock on a file without a name excludes nobody.
    if (inodeOf(path) !== file.describe().inode) {
      file.close();
      return undefined;
    }
    return new PathLock(file, path);
  }

  [Symbol.dispose](): void {
    rmSync(this.#path, { force: true });
    this.#file.close();
  }
}

function inodeOf(path: string): bigint | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })?.ino;
}
