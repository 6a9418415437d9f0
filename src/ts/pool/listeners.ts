// Listeners: the sockets of a pool. This process binds and keeps them, so that they stay open whatever becomes of the workers.
import { randomBytes } from 'node:crypto';
import { printEndpoint } from '../fd/describe';
import type { Fd } from '../fd/fd';
import type { Place } from '../handoff/endpoint';
import type { Balance, PoolStatus } from '../handoff/pool-status';
import type { Registry } from '../handoff/registry';
import { binding } from '../native/binding';
import { SOL_SOCKET } from '../sockets/constants';
import { encode } from '../worker/link';
import type { Delivery, HeldListener, PlaceRequest, PrimaryMessage } from '../worker/messages';
import { placeOf } from '../worker/place';
import { least } from './balance/least';
import { sticky } from './balance/sticky';
import { PoolListener } from './listener';
import type { Load } from './load';
import type { StickyOptions } from './options';
import { ReuseportGroup } from './reuseport';

/** A worker that uses listeners. */
export interface User {
  readonly identity: { readonly worker: number };
  /** Connections can be passed to it. */
  readonly serves: boolean;
  readonly load: Load;
}

/** What a later primary is told of a socket, besides the socket. In the order of listen(2). */
export interface ListenerRecord {
  /** Of the registry. */
  key: string;
  name: string;
  /** Sockets that are one listener: more than one, where each place has its own. */
  group: number;
  /** The place that it belongs to; 0: to all. */
  slot: number;
  /** As the workers that have it know it: for its whole life. */
  delivery: Delivery;
  /** Of a TLS server: of all workers, in base64. */
  ticketKeys: string;
}

/** What a worker is given. The descriptor is lent. */
export type Grant = { fd: Fd } & Pick<ListenerRecord, 'delivery' | 'ticketKeys'>;

interface PoolSocket extends ListenerRecord {
  service: PoolListener;
  users: Set<User>;
}

export interface ListenersOptions {
  registry: Registry;
  balance: Balance;
  sticky: StickyOptions;
  /** False: another process has them, or is about to. */
  mayClose(): boolean;
  /** This process cannot accept for want of descriptors, or a worker cannot be sent to. It goes on. */
  onError(error: Error): void;
}

/** tls.Server.setTicketKeys() */
const TICKET_KEY_BYTES = 48;

/** asm-generic/socket.h */
const SO_REUSEPORT = 15;

/** More than a program that means it asks for. */
const MAX_SOCKETS = 253;

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #sockets: PoolSocket[] = [];
  readonly #reuseport = new Map<number, ReuseportGroup>();
  #lastGroup = 0;
  #lastKey = 0;
  /** One at a time: of two workers that ask at once the second finds what the first has bound. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /**
   * The socket of that name at that place, bound if there is none. Of one name there may be several: a new version of the
   * program wants it elsewhere, while workers of the old one serve.
   * @throws TypeError, RangeError, SystemError EADDRINUSE, EACCES, ...
   */
  find(name: string, request: PlaceRequest, user: User): Promise<Grant> {
    const found = this.#turn.then(() => this.#find(name, request, user));
    this.#turn = found.catch(() => {});
    return found;
  }

  async #find(name: string, request: PlaceRequest, user: User): Promise<Grant> {
    const place = await placeOf(request);
    if (this.#closed) throw new Error('the pool is closed');
    const known = this.#sockets.filter(
      (one) => one.name === name && place.matches(this.#fdOf(one).describe()),
    );
    const [first] = known;
    const own = first === undefined ? this.#wantsOwnSockets(request) : first.slot !== 0;
    const slot = own ? user.identity.worker : 0;
    let socket = known.find((one) => one.slot === slot);
    if (socket === undefined) {
      // The port of the others, where the kernel has chosen it.
      const sharing: { port?: number; reusePort?: true } = {
        ...(first === undefined ? {} : this.#portOf(first)),
        reusePort: true,
      };
      const there = own ? await placeOf({ ...request, ...sharing }) : place;
      const delivery = this.#deliveryOf(request.kind);
      socket = this.#add({ ...this.#kinOf(first), name, slot, delivery }, there);
    }
    socket.users.add(user); // at once: what nobody uses is closed
    await this.#options.registry.start();
    const { delivery, ticketKeys } = socket;
    return { fd: this.#fdOf(socket), delivery, ticketKeys };
  }

  /** A worker has come back with it. @param fd is consumed */
  bringBack(held: HeldListener, fd: Fd, user: User): void {
    try {
      const { inode } = fd.describe();
      let socket = this.#sockets.find((one) => this.#fdOf(one).describe().inode === inode);
      if (socket === undefined) {
        socket = this.#addHeld(held, fd, user);
        this.#options.registry.start().catch(this.#options.onError);
      } else fd.close();
      socket.users.add(user);
    } catch (error) {
      fd.close();
      this.#options.onError(error as Error); // the worker has it, and serves
    }
  }

  #addHeld({ name, place, delivery }: HeldListener, fd: Fd, user: User): PoolSocket {
    const there: Place = { matches: () => false, bind: () => ({ fd, name: undefined }) };
    const { local, family } = fd.describe();
    const address = local && printEndpoint(local);
    const kin = this.#sockets.find((one) => one.name === name && this.#addressOf(one) === address);
    const own = delivery === 'shared' && family !== 'unix' && sharesItsPort(fd, place);
    const slot = own ? user.identity.worker : 0;
    return this.#add({ ...this.#kinOf(kin), name, slot, delivery }, there, { inOrder: false });
  }

  /** That the predecessor has handed over. */
  inherit(records: readonly ListenerRecord[]): void {
    const handed = new Set(this.#options.registry.unclaimed);
    for (const record of records.filter(({ key }) => handed.has(key))) {
      const there: Place = {
        matches: () => true,
        bind: () => {
          throw new Error(`${record.key} was not handed over`);
        },
      };
      this.#add(record, there);
      this.#lastGroup = Math.max(this.#lastGroup, record.group);
      this.#lastKey = Math.max(this.#lastKey, Number(record.key));
    }
  }

  /** What a later primary has to know. */
  records(): ListenerRecord[] {
    return this.#sockets.map(({ service: _, users: __, ...record }) => record);
  }

  /** The worker's program has closed its server of that name. */
  unlisten(name: string, user: User): void {
    for (const { users } of this.#sockets.filter((one) => one.name === name)) users.delete(user);
    this.closeUnused();
    this.update();
  }

  /**
   * That worker has ended.
   * @param closeUnused else the listeners stay: clients wait in their queues until somebody is back
   */
  forget(user: User, { closeUnused }: { closeUnused: boolean }): void {
    for (const { users } of this.#sockets) users.delete(user);
    if (closeUnused) this.closeUnused();
    this.update();
  }

  /** A worker has begun to serve, or ceased to. */
  update(): void {
    for (const [group, reuseport] of this.#reuseport) {
      const serving = this.#usersOf(group).filter(({ serves }) => serves);
      reuseport.spreadOver(new Set(serving.map(({ identity }) => identity.worker)));
    }
    for (const { group, slot, service, users } of this.#sockets) {
      const own = [...users].filter(({ serves }) => serves);
      // Of a place of its own that nobody is in: what comes there, or waits, goes to the others.
      const targets = slot === 0 ? own : this.#usersOf(group).filter(({ serves }) => serves);
      service.setTargets(targets.map(({ load }) => load));
      if (slot !== 0) service.accept(own.length === 0);
    }
  }

  /** A worker may have room. */
  tryAgain(): void {
    for (const { service } of this.#sockets) service.tryAgain();
  }

  status(): PoolStatus['listeners'] {
    const first = this.#sockets.filter(
      ({ group }, index) => this.#sockets.findIndex((one) => one.group === group) === index,
    );
    return first.map((socket) => ({ name: socket.name, address: this.#addressOf(socket) ?? '' }));
  }

  /** Another primary takes over: what it was not offered, because it is newer than the offer, comes to it with the workers. */
  letGo(): void {
    for (const socket of this.#sockets.filter(({ service }) => !service.paused)) {
      this.#remove(socket);
      this.#options.registry.forget(socket.key);
    }
  }

  /** No more are bound. Those that are there the registry closes. */
  close(): void {
    this.#closed = true;
  }

  /** Of the same listener as that one; without it, of a new one. */
  #kinOf(kin: PoolSocket | undefined): Pick<ListenerRecord, 'group' | 'ticketKeys'> {
    if (kin !== undefined) return { group: kin.group, ticketKeys: kin.ticketKeys };
    return { group: ++this.#lastGroup, ticketKeys: randomBytes(TICKET_KEY_BYTES).toString('base64') };
  }

  #add(
    given: Omit<ListenerRecord, 'key'> & { key?: string },
    place: Place,
    how = { inOrder: true },
  ): PoolSocket {
    if (this.#sockets.length >= MAX_SOCKETS)
      throw new Error(`a pool has at most ${MAX_SOCKETS} sockets to listen on`);
    const { group, slot } = given;
    const record = { ...given, key: given.key ?? String(++this.#lastKey) };
    const service = this.#options.registry.claim(record.key, {
      place,
      service: (fd) => this.#serviceOf(record, fd),
    });
    const socket: PoolSocket = { ...record, service, users: new Set() };
    this.#sockets.push(socket);
    if (slot !== 0) this.#groupOf(group).add(slot, this.#fdOf(socket), how);
    return socket;
  }

  #groupOf(group: number): ReuseportGroup {
    const reuseport = this.#reuseport.get(group) ?? new ReuseportGroup();
    this.#reuseport.set(group, reuseport);
    return reuseport;
  }

  #serviceOf({ name, slot, delivery }: ListenerRecord, fd: Fd): PoolListener {
    const { onError, balance } = this.#options;
    const message = encode<PrimaryMessage>({ type: 'connections', listener: name });
    const options = { listener: fd, message, onError };
    if (slot !== 0) return new PoolListener(least(options), false);
    if (delivery === 'shared') return new PoolListener(undefined, true);
    const balancer = balance === 'sticky' ? sticky({ ...options, ...this.#options.sticky }) : least(options);
    return new PoolListener(balancer, true);
  }

  #deliveryOf(kind: PlaceRequest['kind']): Delivery {
    const { balance } = this.#options;
    return kind === 'stream' && (balance === 'least' || balance === 'sticky') ? 'passed' : 'shared';
  }

  /** Each place of the pool has its own. Of UDP the kernel would send a client elsewhere whenever one comes or goes. */
  #wantsOwnSockets(request: { kind: PlaceRequest['kind']; unix?: unknown }): boolean {
    return this.#options.balance === 'reuseport' && request.kind === 'stream' && request.unix === undefined;
  }

  #usersOf(group: number): User[] {
    return this.#sockets.filter((one) => one.group === group).flatMap(({ users }) => [...users]);
  }

  /** Those that no worker has any more: clients would wait for somebody who never accepts. */
  closeUnused(): void {
    if (!this.#options.mayClose()) return;
    for (const socket of [...this.#sockets]) {
      if (this.#usersOf(socket.group).length > 0) continue;
      this.#remove(socket);
      this.#options.registry.discard(socket.key);
    }
  }

  #remove(socket: PoolSocket): void {
    this.#sockets.splice(this.#sockets.indexOf(socket), 1);
    this.#reuseport.delete(socket.group);
  }

  #fdOf({ key }: ListenerRecord): Fd {
    return this.#options.registry.lend(key);
  }

  #portOf(socket: PoolSocket): { port?: number } {
    const { local } = this.#fdOf(socket).describe();
    return local !== undefined && 'port' in local ? { port: local.port } : {};
  }

  #addressOf(socket: PoolSocket): string | undefined {
    const fd = this.#fdOf(socket);
    if (fd.fd === -1) return undefined; // the service has ended
    const { local } = fd.describe();
    return local && printEndpoint(local);
  }
}

/** Of a place of its own: the program has not asked for that. */
function sharesItsPort(fd: Fd, place: PlaceRequest): boolean {
  const asked = place.kind === 'stream' && place.reusePort === true;
  return place.kind === 'stream' && !asked && binding.getOption(fd.fd, SOL_SOCKET, SO_REUSEPORT) === 1;
}
