// FirstBytes: what a connection says first, looked at and left for whoever will serve it. MSG_PEEK, recv(2)
import { binding } from '../../native/binding';
import { MSG, POLL } from '../../sockets/constants';
import { READABLE, Readiness } from '../../sockets/readiness';
import type { Route } from './route';
import type { StickyKey } from './sticky-key';

/** Connections that are waited for at a time; with more of them the next ones are told by what they have said. */
const MAX_WAITING = 1024;

/** What was not enough is looked at again after this: it stays readable, so watching it would spin. */
const LOOK_AGAIN_MS = 10;

export interface FirstBytesOptions {
  key: StickyKey;
  maxBytes: number;
  timeoutMs: number;
  /** The callee owns the number. `key` is null if nothing was found. @param later not from within find() */
  decided(fd: number, key: string | null, later: boolean): void;
  /** The key function has thrown. */
  onError(error: Error): void;
}

/** A connection that has not said enough. */
interface Waiting {
  readiness: Readiness | undefined;
  again: NodeJS.Timeout | undefined;
  timeout: NodeJS.Timeout;
}

export class FirstBytes implements Route {
  readonly #options: FirstBytesOptions;
  readonly #buffer: Buffer;
  /** Owns the numbers. */
  readonly #waiting = new Map<number, Waiting>();

  constructor(options: FirstBytesOptions) {
    this.#options = options;
    this.#buffer = Buffer.allocUnsafe(options.maxBytes);
  }

  get waiting(): number {
    return this.#waiting.size;
  }

  find(fd: number): void {
    const found = this.#look(fd);
    if (found === undefined && this.#wait(fd)) return;
    this.#options.decided(fd, found ?? null, false);
  }

  settle(): void {
    for (const fd of [...this.#waiting.keys()]) this.#decide(fd, null);
  }

  close(): void {
    for (const [fd, waiting] of this.#waiting) {
      stop(waiting);
      binding.closeFd(fd);
    }
    this.#waiting.clear();
  }

  /** False: it cannot be waited for. */
  #wait(fd: number): boolean {
    if (this.#waiting.size >= MAX_WAITING) return false;
    let readiness: Readiness;
    try {
      readiness = new Readiness(fd, () => this.#onReadable(fd));
    } catch {
      return false; // no descriptor for the watcher
    }
    readiness.want(READABLE);
    const timeout = setTimeout(() => this.#decide(fd, null), this.#options.timeoutMs).unref();
    this.#waiting.set(fd, { readiness, again: undefined, timeout });
    return true;
  }

  #onReadable(fd: number): void {
    const waiting = this.#waiting.get(fd);
    if (waiting === undefined) return;
    const found = this.#look(fd);
    if (found !== undefined) {
      this.#decide(fd, found);
      return;
    }
    waiting.readiness?.close();
    waiting.readiness = undefined;
    waiting.again = setTimeout(() => this.#onReadable(fd), LOOK_AGAIN_MS).unref();
  }

  #decide(fd: number, key: string | null): void {
    const waiting = this.#waiting.get(fd);
    if (waiting === undefined) return;
    this.#waiting.delete(fd);
    stop(waiting);
    this.#options.decided(fd, key, true);
  }

  /** Undefined: it has not said enough, and may say more. */
  #look(fd: number): string | null | undefined {
    const head = this.#peek(fd);
    if (head === null || head === undefined) return head;
    try {
      const found = this.#options.key(head);
      return found === undefined && head.length === this.#options.maxBytes ? null : found;
    } catch (error) {
      this.#options.onError(error as Error);
      return null;
    }
  }

  /** Undefined: nothing yet. Null: nothing will come. */
  #peek(fd: number): Buffer | null | undefined {
    try {
      // Asked first: an error that is thrown costs more.
      if (binding.poll(fd, POLL.IN) === 0) return undefined;
      const { size } = binding.receiveRaw(fd, [this.#buffer], 0, MSG.PEEK | MSG.DONTWAIT);
      return size === 0 ? null : this.#buffer.subarray(0, size);
    } catch {
      return null; // ECONNRESET: the worker will see it, too
    }
  }
}

function stop({ readiness, again, timeout }: Waiting): void {
  readiness?.close();
  clearTimeout(again);
  clearTimeout(timeout);
}
