// Primary: the primary of this worker, as the worker sees it: asks for listeners, hears what to do.
import { isMainThread } from 'node:worker_threads';
import { FdpassError } from '../base/errors';
import { Fd } from '../fd/fd';
import { UnixSeqpacket } from '../sockets/seqpacket';
import { LINK_OPTIONS, LINK_VARIABLE, Link } from './link';
import {
  LINK_VERSIONS,
  type PlaceRequest,
  type PrimaryMessage,
  readPrimaryMessage,
  type WorkerMessage,
} from './messages';

export interface PrimaryHooks {
  ping(sequence: number): void;
  confirmed(): void;
  stop(message: PrimaryMessage & { type: 'stop' }): void;
  /** The primary is gone, or talks nonsense. Called once. */
  gone(): void;
}

interface Waiter {
  resolve(fd: Fd): void;
  reject(error: Error): void;
}

export class Primary {
  readonly #link: Link<WorkerMessage, PrimaryMessage>;
  readonly #hooks: PrimaryHooks;
  readonly #waiters = new Map<number, Waiter>();
  #requests = 0;
  #welcome: (message: PrimaryMessage & { type: 'welcome' }) => void = () => {};
  #unwelcome: (error: Error) => void = () => {};

  /** Takes the socket over. */
  constructor(socket: UnixSeqpacket, hooks: PrimaryHooks) {
    this.#hooks = hooks;
    this.#link = new Link(socket, readPrimaryMessage, {
      onMessage: (message, fds) => this.#onMessage(message, fds),
      onGarbage: () => this.#onGone(),
      onEnd: () => this.#onGone(),
    });
  }

  /** The first word. @returns which worker this is @throws ERR_HANDOFF_HOLDER_GONE */
  hello(): Promise<PrimaryMessage & { type: 'welcome' }> {
    const welcome = new Promise<PrimaryMessage & { type: 'welcome' }>((resolve, reject) => {
      this.#welcome = resolve;
      this.#unwelcome = reject;
    });
    this.say({ type: 'hello', versions: LINK_VERSIONS, pid: process.pid });
    return welcome;
  }

  /**
   * A descriptor of the listener of that name, which the caller owns.
   * @throws what binding has failed with in the primary; ERR_HANDOFF_HOLDER_GONE
   */
  listener(name: string, place: PlaceRequest): Promise<Fd> {
    if (!this.#link.open) return Promise.reject(gone());
    const request = ++this.#requests;
    this.say({ type: 'listen', request, name, place });
    return new Promise((resolve, reject) => this.#waiters.set(request, { resolve, reject }));
  }

  say(message: WorkerMessage): void {
    this.#link.send(message);
  }

  /** It keeps this process alive no more; what it says is still heard. */
  unref(): void {
    this.#link.unref();
  }

  /** Nothing more is heard. */
  leave(): void {
    this.#link.close();
  }

  #onMessage(message: PrimaryMessage, fds: Fd[]): void {
    if (message.type === 'listener') {
      this.#onListener(message.request, fds);
      return;
    }
    Fd.closeAll(fds);
    switch (message.type) {
      case 'welcome':
        this.#welcome(message);
        break;
      case 'refused':
        this.#take(message.request)?.reject(refusal(message));
        break;
      case 'ping':
        this.#hooks.ping(message.sequence);
        break;
      case 'confirmed':
        this.#hooks.confirmed();
        break;
      case 'stop':
        this.#hooks.stop(message);
        break;
    }
  }

  #onListener(request: number, fds: Fd[]): void {
    const waiter = this.#take(request);
    const [fd, ...others] = fds;
    Fd.closeAll(others);
    if (fd !== undefined && waiter !== undefined) waiter.resolve(fd);
    else {
      fd?.close();
      waiter?.reject(
        new FdpassError('ERR_HANDOFF_PROTOCOL', 'the primary has answered without a descriptor'),
      );
    }
  }

  #take(request: number): Waiter | undefined {
    const waiter = this.#waiters.get(request);
    this.#waiters.delete(request);
    return waiter;
  }

  #onGone(): void {
    this.#link.close();
    const error = gone();
    this.#unwelcome(error);
    for (const waiter of this.#waiters.values()) waiter.reject(error);
    this.#waiters.clear();
    this.#hooks.gone();
  }
}

function gone(): FdpassError {
  return new FdpassError('ERR_HANDOFF_HOLDER_GONE', 'the primary of this worker is gone');
}

/** As if it had failed here. */
function refusal({ message, type: _, request: __, ...details }: PrimaryMessage & { type: 'refused' }): Error {
  return Object.assign(new Error(message), details);
}

/**
 * This process's, or thread's, end of the link, if a pool has started it. Removes the variable, so that nothing that we start
 * sees it. The number is ours alone in a process; of a thread it is the primary's, and duplicated.
 * @returns undefined: no pool has started us, or something between us has closed the descriptor
 */
export function takeLink(): UnixSeqpacket | undefined {
  const [number, inode] = (process.env[LINK_VARIABLE] ?? '').split(':');
  delete process.env[LINK_VARIABLE];
  if (number === undefined || inode === undefined) return undefined;
  let fd: Fd;
  try {
    fd = Fd.dup(Number(number));
  } catch {
    return undefined;
  }
  if (String(fd.describe().inode) !== inode) {
    fd.close();
    return undefined;
  }
  if (isMainThread) Fd.adopt(Number(number)).close();
  try {
    return UnixSeqpacket.adopt(fd, LINK_OPTIONS);
  } catch (error) {
    fd.close();
    throw error;
  }
}
