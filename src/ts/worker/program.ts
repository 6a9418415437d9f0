// Program: a program that knows nothing of pools, as a worker. Its listeners come from the primary, it counts as ready when they
// listen, and it ends when its connections have.
import type net from 'node:net';
import { constants } from 'node:os';
import { closedError, systemError } from '../base/errors';
import { systemProcess } from '../handoff/process';
import { validateTimeouts } from '../handoff/timeouts';
import type { Wanted } from './listen-arguments';
import { Member } from './member';
import { claimPost, hasPost } from './post';
import { serverService } from './server-service';
import { webSocketFarewell } from './web-sockets';

/** A server that listens by the pool, or is about to. */
interface Listening {
  name: string;
  /** The program has closed it. */
  closed: boolean;
}

export class Program {
  readonly #waitReady: boolean;
  readonly #servers = new Map<net.Server, Listening>();
  /** What the primary was asked for and has not answered, by name: the last one each. Never reject. */
  readonly #claims = new Map<string, Promise<void>>();
  #member: Promise<Member> | undefined;
  /** Servers that are about to listen. */
  #pending = 0;
  #ready = false;
  #leaving = false;

  /** @param waitReady it says itself when it is ready */
  constructor(waitReady: boolean) {
    this.#waitReady = waitReady;
  }

  /** False: it has a handoff of its own, which does all that. */
  get isWorker(): boolean {
    return this.#member !== undefined || hasPost();
  }

  /** It listens by the pool, or is about to, or did until we let its connections end. */
  has(server: net.Server): boolean {
    return this.#servers.has(server);
  }

  /** What it says to the program it says by the events of the server. */
  listen(server: net.Server, wanted: Wanted): void {
    const { callback, signal, path } = wanted;
    if (callback !== undefined) server.once('listening', callback);
    if (signal !== undefined) closeOnAbort(server, signal);
    if (signal?.aborted) return;
    const taken = this.#names();
    const name = wanted.anyPort ? firstFree(wanted.name, taken) : wanted.name;
    if (taken.has(name)) {
      const error = systemError(-constants.errno.EADDRINUSE, 'listen', wanted.address);
      failLater(server, Object.assign(error, fieldsOfNode(wanted)));
      return;
    }
    const listening = { name, closed: false };
    this.#servers.set(server, listening);
    this.#pending++;
    if (path !== undefined) Object.assign(server, { _pipeName: path }); // for address()
    this.#open(server, listening, wanted)
      .catch((error: Error) => {
        if (listening.closed || this.#leaving) return; // it would only end what is under way
        this.#servers.delete(server);
        failLater(server, Object.assign(error, fieldsOfNode(wanted)));
      })
      .finally(() => {
        this.#pending--;
        setImmediate(() => this.#settle());
      });
  }

  /** The program closes that server. */
  close(server: net.Server): void {
    const listening = this.#servers.get(server);
    if (listening === undefined) return;
    listening.closed = true;
    this.#servers.delete(server);
    if (!this.#leaving) void this.#member?.then((member) => member.forget(listening.name)).catch(() => {});
  }

  /** The program says so, or its listeners listen. */
  async sayReady(): Promise<void> {
    if (this.#ready || !this.isWorker) return;
    this.#ready = true;
    try {
      await (await this.#join()).ready();
    } catch {
      process.exit(1); // it will never serve, and nobody else tells it
    }
  }

  /** Stops, lets the connections end, and ends. @returns false: there is nothing to leave */
  leave(): boolean {
    if (this.#member === undefined) return false;
    this.#leaving = true;
    const end = (): void => process.exit(0);
    void this.#member.then((member) => member.close()).then(end, end);
    return true;
  }

  #settle(): void {
    const listens = [...this.#servers.keys()].some(({ listening }) => listening);
    if (this.#pending === 0 && listens && !this.#waitReady) void this.sayReady();
  }

  async #open(server: net.Server, listening: Listening, wanted: Wanted): Promise<void> {
    const member = await this.#join();
    if (listening.closed) return;
    await this.#inTurn(listening.name, () => this.#claim(member, server, listening, wanted));
    if (!listening.closed) await member.start();
  }

  async #claim(
    member: Member,
    server: net.Server,
    listening: Listening,
    { place, backlog }: Wanted,
  ): Promise<void> {
    const make = serverService(server, { backlog, farewell: webSocketFarewell(server) });
    const service: typeof make = (...given) => {
      if (listening.closed) throw closedError('server'); // it may be about to listen again
      return make(...given);
    };
    try {
      await member.claim(listening.name, { place, user: server, service });
    } finally {
      if (listening.closed) member.forget(listening.name);
    }
  }

  /** A server that was closed has its name until the primary has answered. */
  #inTurn(name: string, claim: () => Promise<void>): Promise<void> {
    const before = this.#claims.get(name);
    const claimed = before === undefined ? claim() : before.then(claim);
    const over = claimed
      .catch(() => {})
      .finally(() => {
        if (this.#claims.get(name) === over) this.#claims.delete(name);
      });
    this.#claims.set(name, over);
    return claimed;
  }

  #join(): Promise<Member> {
    this.#member ??= this.#begin();
    return this.#member;
  }

  async #begin(): Promise<Member> {
    const appointment = claimPost('register');
    if (appointment === undefined) throw new Error('this process is no worker');
    const member = await Member.begin(appointment, {
      timeouts: validateTimeouts(),
      health: undefined,
      seam: systemProcess,
      announce: (event, ..._) => {
        if (event === 'superseded') this.#leaving = true;
      },
    });
    void member.superseded.then(endProgram);
    return member;
  }

  #names(): Set<string> {
    return new Set([...this.#servers.values()].map(({ name }) => name));
  }
}

/** The n-th listen(0) of each worker shares one port, as in cluster. */
function firstFree(name: string, taken: ReadonlySet<string>): string {
  for (let index = 1; ; index++) {
    const numbered = `${name}/${index}`;
    if (!taken.has(numbered)) return numbered;
  }
}

/** Programs look at them: "if (error.syscall !== 'listen') throw error". */
function fieldsOfNode({ place, path }: Wanted) {
  if (path !== undefined) return { syscall: 'listen', address: path };
  return { syscall: 'listen', address: place.host ?? '::', port: place.port };
}

function closeOnAbort(server: net.Server, signal: AbortSignal): void {
  const close = (): void => void server.close();
  if (signal.aborted) process.nextTick(close);
  else signal.addEventListener('abort', close, { once: true });
  server.once('close', () => signal.removeEventListener('abort', close));
}

/** In a tick of its own: what a handler throws is no rejection. */
function failLater(server: net.Server, error: Error): void {
  process.nextTick(() => server.emit('error', error));
}

/** Its connections have ended. What it does on SIGTERM it may do now, and has `timeouts.exit` for that. Else ours ends it. */
function endProgram(): void {
  if (!process.emit('SIGTERM', 'SIGTERM')) process.exit(0); // a worker thread
}
