// Fd: the owner of one descriptor.
import { FdpassError, invalidArgType } from '../base/errors';
import { MAX_FDS_PER_MESSAGE } from '../base/limits';
import { validateFdNumber } from '../base/validate';
import { binding } from '../native/binding';
import { describeFd, type FdInfo } from './describe';
import { type FdLike, lend } from './lend';

/** For closeAll(). */
let scratch: Int32Array | undefined;

/** What an Fd holds when it was closed or has given its descriptor away. */
const NONE = -1;

interface Holder {
  what: string;
  /** The call that closes it. */
  end: string;
}

const FD: Holder = { what: 'Fd', end: 'close()' };

// By the numbers that are registered: a descriptor that nobody but its Fd holds costs nothing here.
const holders = new WeakMap<number[], Holder>();

// A lost owner closes its descriptor when it is collected. That is a bug of the program, late and at a
// random time: it is named, so that it can be found. The numbers are held here, not in the Fd.
const lost = new FinalizationRegistry<number[]>((numbers) => {
  const { what, end } = holders.get(numbers) ?? FD;
  for (const fd of numbers.filter((number) => number !== NONE)) {
    binding.closeFd(fd);
    process.emitWarning(
      `The garbage collector has closed descriptor ${fd}: its ${what} was lost while open. Call ${end}.`,
      { type: 'FdpassWarning', code: 'FDPASS_LOST_FD' },
    );
  }
});

/**
 * Descriptors that were received together, and are collected together. To register a group takes as long as to receive a
 * message (0.5 us), so that waits for the end of the turn: most are closed or given away by then.
 */
class Group {
  static #young: Group[] = [];
  readonly numbers: number[];

  constructor(numbers: number[]) {
    this.numbers = numbers;
    if (Group.#young.push(this) === 1) queueMicrotask(Group.#register);
  }

  static readonly #register = (): void => {
    const groups = Group.#young;
    Group.#young = [];
    for (const group of groups) {
      if (group.numbers.some((number) => number !== NONE)) lost.register(group, group.numbers);
    }
  };
}

/**
 * Owns a descriptor: nobody else may close it. Closed by close(), `using`, or, with a process warning,
 * by the garbage collector. Whoever is given an Fd as `fd` consumes it; as `from` or in `fds` borrows it.
 */
export class Fd implements Disposable {
  readonly #group: Group;
  readonly #index: number;

  private constructor(group: Group, index: number) {
    this.#group = group;
    this.#index = index;
  }

  /**
   * Takes a number over: from here only this Fd closes it.
   * @throws SystemError EBADF if nothing is open under that number
   */
  static adopt(fd: number): Fd {
    binding.describe(validateFdNumber('fd', fd));
    binding.ownFd(fd);
    return Fd.own(fd);
  }

  /** @internal For a number that the addon has just made. */
  static own(fd: number): Fd {
    return new Fd(new Group([fd]), 0);
  }

  /** @internal The same for several at once. */
  static ownAll(fds: Int32Array): Fd[] {
    if (fds.length === 0) return [];
    // Loops over arrays of the right length: Array.from() of a typed array takes as long as the system call.
    const numbers = new Array<number>(fds.length);
    for (let index = 0; index < fds.length; index++) numbers[index] = fds[index] as number;
    const group = new Group(numbers);
    const owners = new Array<Fd>(fds.length);
    for (let index = 0; index < fds.length; index++) owners[index] = new Fd(group, index);
    return owners;
  }

  /**
   * A duplicate, close-on-exec and never 0, 1 or 2; the original stays its owner's. fcntl(2) F_DUPFD_CLOEXEC
   * @throws SystemError EBADF, EMFILE
   */
  static dup(from: FdLike): Fd {
    return Fd.own(binding.duplicate(lend(from)));
  }

  /**
   * close() of each, in one call of the addon: for many that came with one message. If the list throws, or holds something
   * else, those before it are closed.
   */
  static closeAll(fds: Iterable<Fd>): void {
    const numbers = scratch ?? new Int32Array(MAX_FDS_PER_MESSAGE);
    scratch = undefined; // a list may close others while it is read
    let count = 0;
    try {
      for (const fd of fds) {
        if (!(#group in fd)) throw invalidArgType('fds', 'a list of Fd', fd);
        if (count === numbers.length) {
          binding.closeFds(numbers, count);
          count = 0;
        }
        if (fd.fd !== NONE) numbers[count++] = fd.#release();
      }
    } finally {
      if (count > 0) binding.closeFds(numbers, count);
      scratch = numbers;
    }
  }

  /** The number, -1 once closed or detached. It is borrowed: do not close it. */
  get fd(): number {
    return this.#group.numbers[this.#index] as number;
  }

  /** @internal Says what is lost when this Fd is, and by which call it should have been closed. Of an Fd that came alone. */
  heldBy(what: string, end: string): void {
    holders.set(this.#group.numbers, { what, end });
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
    if (this.fd !== NONE) binding.closeFd(this.#release());
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #release(): number {
    const fd = this.#open();
    this.#group.numbers[this.#index] = NONE;
    return fd;
  }

  #open(): number {
    if (this.fd === NONE) throw closedFd();
    return this.fd;
  }
}

export function closedFd(): FdpassError {
  return new FdpassError('ERR_FDPASS_CLOSED', 'this Fd is closed or was given away; pass one that is open');
}
