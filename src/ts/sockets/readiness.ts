// Readiness: when one descriptor can be read or written, on this environment's event loop.
import { binding, type WatcherHandle } from '../native/binding';

/** UV_READABLE and UV_WRITABLE of uv.h. */
export const READABLE = 1;
export const WRITABLE = 2;

/**
 * Calls back while what is wanted is ready (level-triggered). Keeps the process alive only while
 * something is wanted and it was not unref'd.
 */
export class Readiness {
  readonly #watcher: WatcherHandle;
  readonly #onReady: (events: number) => void;
  #wanted = 0;
  #armed = 0;
  #ref = true;
  #keeps: boolean | undefined;
  #keepsLoop: boolean | undefined;

  /** @throws SystemError EMFILE: the watcher uses a duplicate of `fd` */
  constructor(fd: number, onReady: (events: number) => void) {
    // While nothing is wanted the addon holds the callback weakly, so that a lost owner can be collected: this
    // field keeps it.
    this.#onReady = (events) => {
      // Taking something off the epoll set costs a system call, so it waits for a wake-up that nobody wants.
      if ((this.#armed & ~this.#wanted) !== 0) this.#arm(this.#wanted);
      if ((events & this.#wanted) !== 0) onReady(events & this.#wanted);
    };
    this.#watcher = binding.openWatcher(fd, this.#onReady);
    this.#updateKeeping();
  }

  want(events: number): void {
    this.#wanted |= events;
    if ((this.#armed & events) !== events) this.#arm(this.#wanted | this.#armed);
    this.#updateKeeping();
  }

  drop(events: number): void {
    this.#wanted &= ~events;
    this.#updateKeeping();
  }

  setRef(ref: boolean): void {
    this.#ref = ref;
    this.#updateKeeping();
  }

  /** Calls back when the loop has turned once; of one that was unref'd only if something else makes it turn. */
  nextTurn(callback: () => void): void {
    const turn = setImmediate(callback);
    if (!this.#ref) turn.unref();
  }

  close(): void {
    this.#wanted = 0;
    binding.closeWatcher(this.#watcher);
  }

  #arm(events: number): void {
    this.#armed = events;
    if (events === 0) binding.stopWatcher(this.#watcher);
    else binding.startWatcher(this.#watcher, events);
  }

  #updateKeeping(): void {
    const keeps = this.#wanted !== 0;
    const keepsLoop = keeps && this.#ref;
    if (keeps === this.#keeps && keepsLoop === this.#keepsLoop) return;
    this.#keeps = keeps;
    this.#keepsLoop = keepsLoop;
    binding.keepWatcher(this.#watcher, keeps, keepsLoop);
  }
}
