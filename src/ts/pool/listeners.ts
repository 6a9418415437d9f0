// Listeners: the sockets of a pool. This process binds and keeps them, so that they stay open whatever becomes of the workers.
import { printEndpoint } from '../fd/describe';
import type { Fd } from '../fd/fd';
import type { Place } from '../handoff/endpoint';
import type { Balance, PoolStatus } from '../handoff/pool-status';
import type { Registry } from '../handoff/registry';
import { encode } from '../worker/link';
import type { Delivery, PlaceRequest, PrimaryMessage } from '../worker/messages';
import { placeOf } from '../worker/place';
import type { Balancer } from './balance/balancer';
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
}

interface PoolSocket extends ListenerRecord {
  service: PoolListener;
  users: Set<User>;
}

export interface ListenersOptions {
  registry: Registry;
  balance: Balance;
  sticky: StickyOptions;
  /** This process cannot accept for want of descriptors, or a worker cannot be sent to. It goes on. */
  onError(error: Error): void;
}

/** More than a program that means it asks for. */
const MAX_SOCKETS = 253;

export class Listeners {
  readonly #options: ListenersOptions;
  readonly #sockets: PoolSocket[] = [];
  readonly #reuseport = new Map<number, ReuseportGroup>();
  #lastGroup = 0;
  /** One at a time: of two workers that ask at once the second finds what the first has bound. */
  #turn: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(options: ListenersOptions) {
    this.#options = options;
  }

  /**
   * The socket of that name at that place, bound if there is none. Of one name there may be several: a new version of the
   * program wants it elsewhere, while workers of the old one serve.
   * @returns lent @throws TypeError, RangeError, SystemError EADDRINUSE, EACCES, ...
   */
  find(name: string, request: PlaceRequest, user: User): Promise<{ fd: Fd; delivery: Delivery }> {
    const found = this.#turn.then(() => this.#find(name, request, user));
    this.#turn = found.catch(() => {});
    return found;
  }

  async #find(name: string, request: PlaceRequest, user: User): Promise<{ fd: Fd; delivery: Delivery }> {
    const slot = this.#hasOwnSocket(request) ? user.identity.worker : 0;
    const own = slot === 0 ? {} : { reusePort: true };
    const place = await placeOf({ ...request, ...own });
    if (this.#closed) throw new Error('the pool is closed');
    const known = this.#sockets.filter(
      (one) => one.name === name && place.matches(this.#fdOf(one).describe()),
    );
    let socket = known.find((one) => one.slot === slot) ?? known.find((one) => one.slot === 0);
    if (socket === undefined) {
      const [first] = known;
      // The port of the others, where the kernel has chosen it.
      const there =
        first === undefined ? place : await placeOf({ ...request, ...own, ...this.#portOf(first) });
      socket = this.#add({ name, group: first?.group ?? ++this.#lastGroup, slot }, there, request.kind);
      await this.#options.registry.start();
    }
    socket.users.add(user);
    return { fd: this.#fdOf(socket), delivery: this.#deliveryOf(request.kind) };
  }

  /** A worker has come back with it. @param fd is consumed */
  bringBack(name: string, { kind }: PlaceRequest, fd: Fd, user: User): void {
    const info = fd.describe();
    let socket = this.#sockets.find((one) => this.#fdOf(one).describe().inode === info.inode);
    if (socket === undefined) {
      const place: Place = { matches: () => false, bind: () => ({ fd, name: undefined }) };
      const sameName = this.#sockets.find(
        (one) => one.name === name && this.#addressOf(one) === (info.local && printEndpoint(info.local)),
      );
      const slot = this.#hasOwnSocket({ kind }) && info.family !== 'unix' ? user.identity.worker : 0;
      socket = this.#add({ name, group: sameName?.group ?? ++this.#lastGroup, slot }, place, kind, false);
      void this.#options.registry.start();
    } else fd.close();
    socket.users.add(user);
  }

  /** That the predecessor has handed over. */
  inherit(records: readonly ListenerRecord[]): void {
    const { registry } = this.#options;
    const inherited = new Set(registry.unclaimed);
    for (const { key, name, group, slot } of records.filter((one) => inherited.has(one.key))) {
      const place: Place = {
        matches: () => true,
        bind: () => {
          throw new Error(`${key} was not handed over`);
        },
      };
      this.#add({ key, name, group, slot }, place);
      this.#lastGroup = Math.max(this.#lastGroup, group);
    }
  }

  /** What a later primary has to know. */
  records(): ListenerRecord[] {
    return this.#sockets.map(({ key, name, group, slot }) => ({ key, name, group, slot }));
  }

  /** The worker's program has closed its server of that name. */
  unlisten(name: string, user: User): void {
    for (const { users } of this.#sockets.filter((one) => one.name === name)) users.delete(user);
    this.#closeUnused();
    this.update();
  }

  /**
   * That worker has ended.
   * @param closeUnused else the listeners stay: clients wait in their queues until somebody is back
   */
  forget(user: User, { closeUnused }: { closeUnused: boolean }): void {
    for (const { users } of this.#sockets) users.delete(user);
    if (closeUnused) this.#closeUnused();
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

  /** No more are bound. Those that are there the registry closes. */
  close(): void {
    this.#closed = true;
  }

  #add(
    { name, group, slot, key = `${group}.${slot}` }: Omit<ListenerRecord, 'key'> & { key?: string },
    place: Place,
    kind: PlaceRequest['kind'] = 'stream',
    inOrder = true,
  ): PoolSocket {
    if (this.#sockets.length >= MAX_SOCKETS)
      throw new Error(`a pool has at most ${MAX_SOCKETS} sockets to listen on`);
    const service = this.#options.registry.claim(key, {
      place,
      service: (fd) => this.#serviceOf(name, slot, fd, kind),
    });
    const socket: PoolSocket = { key, name, group, slot, service, users: new Set() };
    this.#sockets.push(socket);
    if (slot !== 0) this.#groupOf(group).add(slot, this.#fdOf(socket), { inOrder });
    return socket;
  }

  #groupOf(group: number): ReuseportGroup {
    const reuseport = this.#reuseport.get(group) ?? new ReuseportGroup();
    this.#reuseport.set(group, reuseport);
    return reuseport;
  }

  #serviceOf(name: string, slot: number, fd: Fd, kind: PlaceRequest['kind']): PoolListener {
    const { onError } = this.#options;
    const options = {
      listener: fd,
      message: encode<PrimaryMessage>({ type: 'connections', listener: name }),
      onError,
    };
    if (slot !== 0) return new PoolListener(least(options), false);
    return new PoolListener(this.#deliveryOf(kind) === 'passed' ? this.#balancer(options) : undefined, true);
  }

  #balancer(options: Parameters<typeof least>[0]): Balancer {
    return this.#options.balance === 'least'
      ? least(options)
      : sticky({ ...options, ...this.#options.sticky });
  }

  #deliveryOf(kind: PlaceRequest['kind']): Delivery {
    const { balance } = this.#options;
    return kind === 'stream' && (balance === 'least' || balance === 'sticky') ? 'passed' : 'shared';
  }

  /** Each place of the pool has its own. Of UDP the kernel would send a client elsewhere whenever one comes or goes. */
  #hasOwnSocket(request: { kind: PlaceRequest['kind']; unix?: unknown }): boolean {
    return this.#options.balance === 'reuseport' && request.kind === 'stream' && request.unix === undefined;
  }

  #usersOf(group: number): User[] {
    return this.#sockets.filter((one) => one.group === group).flatMap(({ users }) => [...users]);
  }

  #closeUnused(): void {
    for (const socket of [...this.#sockets]) {
      if (this.#usersOf(socket.group).length > 0) continue;
      this.#sockets.splice(this.#sockets.indexOf(socket), 1);
      this.#reuseport.delete(socket.group);
      this.#options.registry.discard(socket.key);
    }
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
