// What goes with the bytes of a message: descriptors and credentials, on their way out.
import { invalidArgType } from '../base/errors';
import { MAX_FDS_PER_MESSAGE } from '../base/limits';
import { validateInteger, validateObject } from '../base/validate';
import { Fd } from '../fd/fd';
import { type FdLike, lend } from '../fd/lend';
import type { Attachments } from './message';
import type { Credentials } from './peer';

/** As the addon takes it. The numbers are lent, and valid only as long as the call that lent them lasts. */
export interface Lent {
  fds: Int32Array | undefined;
  /** [pid, uid, gid] */
  credentials: Int32Array | undefined;
}

/** No attachment at all. */
export const NOTHING: Lent = { fds: undefined, credentials: undefined };

/**
 * Numbers of an attachment that has gone, for the next one: the addon sees only arrays whose memory lies outside of the heap, and to move
 * it there takes a third of the time of a message.
 */
let spare: Int32Array | undefined;

/** Call it when the kernel has the attachment; nobody reads it any more then. */
export function giveBack({ fds }: Lent): void {
  if (fds !== undefined) spare = fds;
}

export function lendAttachment(options: Attachments): Lent {
  if (options.fds === undefined && options.credentials === undefined) return NOTHING;
  return { fds: lendAll(options.fds), credentials: packCredentials(options.credentials) };
}

function lendAll(fds: readonly FdLike[] | undefined): Int32Array | undefined {
  if (fds === undefined) return undefined;
  if (!Array.isArray(fds)) throw invalidArgType('options.fds', 'an array', fds);
  if (fds.length === 0) return undefined;
  validateInteger('options.fds.length', fds.length, 0, MAX_FDS_PER_MESSAGE);
  const numbers = spare?.length === fds.length ? spare : new Int32Array(fds.length);
  spare = undefined; // a list may send others while it is read
  for (let index = 0; index < fds.length; index++)
    numbers[index] = lend(fds[index] as FdLike, 'options.fds', index);
  return numbers;
}

function packCredentials(credentials: Credentials | undefined): Int32Array | undefined {
  if (credentials === undefined) return undefined;
  validateObject('options.credentials', credentials);
  return Int32Array.of(
    validateInteger('options.credentials.pid', credentials.pid, 1, 2 ** 31 - 1),
    validateInteger('options.credentials.uid', credentials.uid, 0, 2 ** 32 - 2),
    validateInteger('options.credentials.gid', credentials.gid, 0, 2 ** 32 - 2),
  );
}

/**
 * An attachment that has to wait. It owns duplicates: the caller may close its own descriptors meanwhile, and
 * their numbers may be given out again.
 */
export class KeptAttachment {
  static readonly #nothing = new KeptAttachment(NOTHING);
  readonly #fds: Fd[] = [];
  readonly #credentials: Int32Array | undefined;

  /** @throws SystemError EMFILE, EBADF of fcntl(2); nothing is kept then */
  static of(lent: Lent): KeptAttachment {
    return lent === NOTHING ? KeptAttachment.#nothing : new KeptAttachment(lent);
  }

  private constructor(lent: Lent) {
    this.#credentials = lent.credentials;
    try {
      for (const fd of lent.fds ?? []) this.#fds.push(Fd.dup(fd));
    } catch (error) {
      this.close();
      throw error;
    }
  }

  lend(): Lent {
    return {
      fds: this.#fds.length === 0 ? undefined : Int32Array.from(this.#fds, (fd) => fd.fd),
      credentials: this.#credentials,
    };
  }

  close(): void {
    Fd.closeAll(this.#fds);
  }
}
