// Fd: the owner of one descriptor.
import { FdpassError } from '../base/errors';
import { validateFdNumber } from '../base/validate';
import { binding } from '../native/binding';
import { describeFd, type FdInfo } from './describe';
import { type FdLike, lend } from './lend';

// A lost owner closes its descriptor when it is collected. That is a bug of the program, late and at a
// random time: it is named, so that it can be found. The number is held here, not in the Fd.
const lost = new FinalizationRegistry<number>((fd) => {
  binding.closeFd(fd);
  process.emitWarning(
    `An Fd (descriptor ${fd}) was garbage collected while open and has been closed. Call close().`,
    {
      type: 'FdpassWarning',
      code: 'FDPASS_LOST_FD',
    },
  );
});

/**
 * Owns a descriptor: nobody else may close it. Closed by close(), `using`, or, with a process warning,
 * by the garbage collector. Whoever is given an Fd as `fd` consumes it; as `from` or in `fds` borrows it.
 */
export class Fd implements Disposable {
  #fd: number;

  private constructor(fd: number) {
    this.#fd = validateFdNumber('fd', fd);
    lost.register(this, fd, this);
  }

  /**
   * Takes a number over: from here only this Fd closes it.
   * @throws SystemError EBADF if nothing is open under that number
   */
  static adopt(fd: number): Fd {
    binding.describe(validateFdNumber('fd', fd));
    binding.ownFd(fd);
    return new Fd(fd);
  }

  /** @internal For numbers that the addon has just made. */
  static own(fd: number): Fd {
    return new Fd(fd);
  }

  /**
   * A duplicate, close-on-exec and never 0, 1 or 2; the original stays its owner's. fcntl(2) F_DUPFD_CLOEXEC
   * @throws SystemError EBADF, EMFILE
   */
  static dup(from: FdLike): Fd {
    return new Fd(binding.duplicate(lend(from)));
  }

  /** The number, -1 once closed or detached. It is borrowed: do not close it. */
  get fd(): number {
    return this.#fd;
  }

  /** What the kernel says about it. */
  describe(): FdInfo {
    return describeFd(this.#open());
  }

  /** Gives the number away: the caller owns it from here and this Fd is as if closed. */
  detach(): number {
    const fd = this.#release();
    binding.disownFd(fd);
    return fd;
  }

  /** Idempotent. */
  close(): void {
    if (this.#fd !== -1) binding.closeFd(this.#release());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #release(): number {
    const fd = this.#open();
    lost.unregister(this);
    this.#fd = -1;
    return fd;
  }

  #open(): number {
    if (this.#fd === -1) throw closedFd();
    return this.#fd;
  }
}

export function closedFd(): FdpassError {
  return new FdpassError('ERR_FDPASS_CLOSED', 'this Fd is closed or was given away; pass one that is open');
}
