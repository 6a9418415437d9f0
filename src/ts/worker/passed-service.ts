// PassedService: a server whose connections the primary accepts and passes on.
import type net from 'node:net';
import type { Fd } from '../fd/fd';
import { handleOf } from '../fd/handle';
import { callOnConnection, type ServerHandle } from '../fd/inject';
import { listenAs, type SetRef, standIn } from '../fd/stand-in';
import { Connections, type DrainCount } from '../handoff/connections';
import { Gate } from '../handoff/gate';
import {
  type ServerServiceOptions,
  type Service,
  type SetLimit,
  ticketKeysOf,
  useTicketKeys,
} from '../handoff/service';

export interface PassedServiceOptions extends ServerServiceOptions {
  /** Whether the server keeps the process alive: connections come over a link, which has to be ref'd as long. */
  setRef?: SetRef;
}

/**
 * The descriptor that every method is lent is the listener in which the primary accepts. The server shows its address, and accepts
 * on it itself from acceptItself() to acceptNoMore(): while there is no primary.
 */
export class PassedService implements Service {
  readonly user: net.Server;
  readonly #gate: Gate;
  readonly #connections: Connections;
  readonly #backlog: number;
  readonly #setRef: SetRef;
  /** Kept when it is closed: what was on its way by then is served. */
  #handle: ServerHandle | undefined;
  /** Passed while it is paused. */
  #held: Fd[] | undefined;
  #acceptsItself = false;
  #stopped = false;

  constructor(server: net.Server, options: PassedServiceOptions) {
    this.user = server;
    useTicketKeys(server, options.ticketKeys);
    this.#backlog = options.backlog;
    this.#setRef = options.setRef ?? (() => {});
    this.#gate = new Gate(server);
    this.#connections = new Connections(server, options.farewell);
  }

  async start(fd: Fd): Promise<void> {
    if (this.user.listening) return;
    this.#handle = await standIn(this.user, fd, this.#setRef);
  }

  /**
   * Gives the server connections, which are consumed. Those that come when the program has closed it are closed. What a handler throws is
   * thrown in a tick of its own: the others have their turn.
   */
  deliver(fds: readonly Fd[]): void {
    if (this.#held !== undefined) {
      this.#held.push(...fds);
      return;
    }
    const handle = this.#stopped ? this.#handle : handleOf(this.user);
    serveAll(handle, fds);
  }

  /** The primary is gone. */
  acceptItself(fd: Fd): void {
    if (this.#stopped || this.#acceptsItself) return;
    this.#acceptsItself = true;
    if (this.#held !== undefined || !this.user.listening) return;
    this.#gate.shut(fd);
    this.#gate.reopen(fd, this.#backlog);
  }

  /** There is a primary again, which passes connections from here. */
  acceptNoMore(fd: Fd): void {
    if (this.#stopped || !this.#acceptsItself) return;
    this.#acceptsItself = false;
    if (this.#held !== undefined) return; // resume() does it
    this.#gate.shut(fd);
    this.#listenAgain(fd);
  }

  pause(fd: Fd): void {
    if (this.#held !== undefined || this.#stopped) return;
    this.#gate.shut(fd);
    this.#held = [];
  }

  resume(fd: Fd): void {
    if (this.#held === undefined) return;
    if (this.#acceptsItself) this.#gate.reopen(fd, this.#backlog);
    else this.#listenAgain(fd);
    this.#release();
  }

  /** What the primary has sent by now, and what still comes from it, is served: nobody else has it. */
  stop(fd: Fd): void {
    if (this.#stopped) return;
    this.#stopped = true;
    if (this.#held === undefined && !this.user.listening) this.#handle = undefined; // the program has closed it
    if (this.#held?.length) this.#listenAgain(fd); // or 'close' would be said before they have ended
    this.#release();
    this.#gate.retire(fd);
  }

  drain(setLimit: SetLimit): Promise<DrainCount> {
    return this.#connections.drain(setLimit);
  }

  get open(): number {
    return this.#connections.open;
  }

  get accepted(): number {
    return this.#connections.accepted;
  }

  ticketKeys(): string | undefined {
    return ticketKeysOf(this.user);
  }

  #listenAgain(fd: Fd): void {
    this.#gate.reopenBy(() => {
      this.#handle = listenAs(this.user, fd, this.#setRef);
    });
  }

  #release(): void {
    const held = this.#held ?? [];
    this.#held = undefined;
    this.deliver(held);
  }
}

/** Consumes them. @param handle of a server that listens, or has listened; else they are closed */
export function serveAll(handle: ServerHandle | null | undefined, fds: readonly Fd[]): void {
  for (const fd of fds) {
    if (handle) callSafely(handle, fd);
    else fd.close();
  }
}

function callSafely(handle: ServerHandle, fd: Fd): void {
  try {
    callOnConnection(handle, fd);
  } catch (error) {
    process.nextTick(() => {
      throw error;
    });
  }
}
