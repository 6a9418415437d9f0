// Service: how this process works with one of the descriptors it holds. The descriptor stays the registry's.
import type net from 'node:net';
import tls from 'node:tls';
import type { Fd } from '../fd/fd';
import { Connections, type DrainCount, type Farewell } from './connections';
import { Gate } from './gate';

/** Arms the time limit of a drain; its result disarms it. */
export type SetLimit = (cut: () => void) => () => void;

export interface Service {
  /** The program's own object for it. */
  readonly user: object;
  /** Takes work from the descriptor, which is lent. */
  start(fd: Fd): Promise<void>;
  /** Takes no new work, so that resume() can undo it. */
  pause(fd: Fd): void;
  resume(fd: Fd): void;
  /** Takes no new work any more. */
  stop(fd: Fd): void;
  /** Ends what is under way. */
  drain(setLimit: SetLimit): Promise<DrainCount>;
  /** Lets go of what outlives the drain. */
  release?(): void;
  /** Connections that are open. */
  readonly open: number;
  /** Connections that were accepted so far. */
  readonly accepted: number;
  /** Base64 of what lets clients of a TLS server resume their sessions at the next process. */
  ticketKeys?(): string | undefined;
}

export interface ServerServiceOptions {
  backlog: number;
  ticketKeys?: string | undefined;
  farewell?: Farewell | undefined;
}

/** A server of net, tls, http, https or http2 on a stream listener. */
export class ServerService implements Service {
  readonly user: net.Server;
  readonly #backlog: number;
  readonly #gate: Gate;
  readonly #connections: Connections;

  /** @param ticketKeys of the predecessor's server of that name */
  constructor(server: net.Server, { backlog, ticketKeys, farewell }: ServerServiceOptions) {
    this.user = server;
    useTicketKeys(server, ticketKeys);
    this.#backlog = backlog;
    this.#gate = new Gate(server);
    this.#connections = new Connections(server, farewell);
  }

  ticketKeys(): string | undefined {
    return ticketKeysOf(this.user);
  }

  start(fd: Fd): Promise<void> {
    return this.#gate.open(fd, this.#backlog);
  }

  pause(fd: Fd): void {
    this.#gate.shut(fd);
  }

  resume(fd: Fd): void {
    this.#gate.reopen(fd, this.#backlog);
  }

  stop(fd: Fd): void {
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
}

/** tls.Server.setTicketKeys() takes 48 bytes: name, HMAC key, AES key. */
const TICKET_KEY_BYTES = 48;

export function ticketKeysOf(server: net.Server): string | undefined {
  return server instanceof tls.Server ? server.getTicketKeys().toString('base64') : undefined;
}

export function useTicketKeys(server: net.Server, text: string | undefined): void {
  if (text === undefined || !(server instanceof tls.Server)) return;
  const keys = Buffer.from(text, 'base64');
  if (keys.length === TICKET_KEY_BYTES) server.setTicketKeys(keys);
}
