// Connecting: connect(2) on an AF_UNIX socket, and again while the listener has no room.
import { FdpassError, hasCode, withAddress } from '../base/errors';
import type { UnixAddress } from '../fd/address';
import { binding } from '../native/binding';

/**
 * Pauses between two attempts. Nothing tells when a backlog has room: poll(2) calls an unconnected socket
 * ready at all times, so the attempt itself is the question.
 */
const FIRST_PAUSE_MS = 1;
const LONGEST_PAUSE_MS = 20;

export interface ConnectingOptions {
  /** Of a stream socket that is not connected. Its owner calls cancel() before it closes it. */
  fd: number;
  to: UnixAddress;
  /** Milliseconds for all attempts together. Default: as long as the listener lives. */
  timeout?: number | undefined;
}

/**
 * The first attempt is made at once, with the credentials of this moment; what came of it is told in a later
 * turn of the loop, when the caller has had time to listen (http.Agent listens a tick later).
 */
export class Connecting {
  readonly #options: ConnectingOptions;
  readonly #settled: (error?: Error) => void;
  readonly #deadline: number;
  #pauseMs = FIRST_PAUSE_MS;
  #wait: NodeJS.Immediate | NodeJS.Timeout;
  #ref = true;

  /**
   * @param settled called once, unless cancelled: connected, or with a SystemError (ENOENT, ECONNREFUSED, EACCES,
   * EPROTOTYPE) or ERR_FDPASS_TIMEOUT
   */
  constructor(options: ConnectingOptions, settled: (error?: Error) => void) {
    this.#options = options;
    this.#settled = settled;
    this.#deadline = performance.now() + (options.timeout ?? Number.POSITIVE_INFINITY);
    const outcome = this.#attempt();
    this.#wait = setImmediate(() => this.#judge(outcome));
  }

  /** Idempotent, also when settled. */
  cancel(): void {
    this.#wait[Symbol.dispose]();
  }

  /** Waiting keeps the process alive, as the socket that waits does. */
  ref(): void {
    this.#ref = true;
    this.#wait.ref();
  }

  unref(): void {
    this.#ref = false;
    this.#wait.unref();
  }

  #attempt(): 'connected' | Error {
    const { fd, to } = this.#options;
    try {
      binding.connect(fd, to.sunPath);
      return 'connected';
    } catch (error) {
      return withAddress(error, to.toString());
    }
  }

  #judge(outcome: 'connected' | Error): void {
    if (outcome === 'connected') this.#settled();
    else if (hasCode(outcome, 'EAGAIN')) this.#tryAgain(outcome);
    else this.#settled(outcome);
  }

  #tryAgain(cause: Error): void {
    const leftMs = this.#deadline - performance.now();
    if (leftMs <= 0) {
      this.#settled(this.#tooLate(cause));
      return;
    }
    this.#wait = setTimeout(() => this.#judge(this.#attempt()), Math.min(this.#pauseMs, leftMs));
    if (!this.#ref) this.#wait.unref();
    this.#pauseMs = Math.min(this.#pauseMs * 2, LONGEST_PAUSE_MS);
  }

  #tooLate(cause: Error): FdpassError {
    const { to, timeout } = this.#options;
    return new FdpassError(
      'ERR_FDPASS_TIMEOUT',
      `connecting to ${to} did not finish within ${timeout} ms: its backlog is full, the server does not accept`,
      { cause },
    );
  }
}
