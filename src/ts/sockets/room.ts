// Room: when a destination may take another message of a socket that is not connected to it.
import type { UnixAddress } from '../fd/address';
import { SOCK_DGRAM } from '../fd/describe';
import { Fd } from '../fd/fd';
import { binding } from '../native/binding';
import { Readiness, WRITABLE } from './readiness';

// Between two attempts where nobody can be asked.
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;

/**
 * For poll(2) an unconnected socket is writable however full the destination is. One that is connected to the
 * destination is not (unix_dgram_poll() in net/unix/af_unix.c): a socket that never sends is asked instead of the one
 * that does. Where there is none (no descriptors left, a destination that has gone or talks to somebody else), or
 * where it was wrong, time has to pass.
 */
export class Room {
  readonly #onRoom: () => void;
  readonly #fd: Fd | undefined;
  readonly #readiness: Readiness | undefined;
  #timer: NodeJS.Timeout | undefined;
  #pauseMs = FIRST_PAUSE_MS;
  #doubted: boolean;
  #ref = true;

  /** @param doubted the last answer about this destination was wrong */
  constructor(to: UnixAddress, doubted: boolean, onRoom: () => void) {
    this.#onRoom = onRoom;
    this.#doubted = doubted;
    let fd: Fd | undefined;
    try {
      fd = Fd.own(binding.openSocket(SOCK_DGRAM));
      binding.connect(fd.fd, to.sunPath);
      this.#readiness = new Readiness(fd.fd, () => this.#report());
      this.#fd = fd;
    } catch {
      fd?.close(); // whatever it was, the next send says it
    }
  }

  /** Calls onRoom once. */
  await(): void {
    if (this.#readiness !== undefined && !this.#doubted) {
      this.#readiness.want(WRITABLE);
    } else if (this.#timer === undefined) {
      this.#timer = setTimeout(() => this.#report(), this.#pauseMs);
      if (!this.#ref) this.#timer.unref();
      this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
    }
  }

  /** A message went: the answer was right. */
  confirm(): void {
    this.#doubted = false;
    this.#pauseMs = FIRST_PAUSE_MS;
  }

  setRef(ref: boolean): void {
    this.#ref = ref;
    this.#readiness?.setRef(ref);
    ref ? this.#timer?.ref() : this.#timer?.unref();
  }

  close(): void {
    clearTimeout(this.#timer);
    this.#readiness?.close();
    this.#fd?.close();
  }

  #report(): void {
    this.#readiness?.drop(WRITABLE);
    this.#timer = undefined;
    this.#doubted = true; // until a message has gone
    this.#onRoom();
  }
}
