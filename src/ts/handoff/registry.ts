// Registry: the descriptors of this process by name, inherited or bound or put, and the services that use them.

import { FdpassError, outOfRange } from '../base/errors';
import { linkOf } from '../fd/access';
import { UnixAddress } from '../fd/address';
import { describeFd, explain, type FdInfo, printEndpoint } from '../fd/describe';
import { Fd } from '../fd/fd';
import { type BoundName, holdName } from '../names/bind-path';
import type { DrainCount } from './connections';
import { KeptService } from './datagram-service';
import type { Place } from './endpoint';
import { protocolError } from './frame';
import {
  CONTROL_NAME,
  isOurs,
  MAX_LISTENERS,
  type ManifestEntry,
  STATE_NAME,
  type StateLabel,
} from './payloads';
import type { Service, SetLimit } from './service';
import type { StateBlob } from './state';
import type { ListenerStatus } from './status';

/** Names travel in the manifest, which has one frame. CONTROL_NAME is none of these. */
const LISTENER_NAME = /^[A-Za-z0-9._:/-]{1,64}$/;

interface Listener {
  /** What is handed over. The service works on a duplicate. */
  fd: Fd;
  /** Set once this process is responsible for the file of a unix address. */
  name: BoundName | undefined;
  inherited: boolean;
  service: Service;
}

/** What is handed over besides what the program has named. */
export interface Ours {
  control: Fd;
  state: StateBlob | undefined;
}

export interface Claim<S extends Service> {
  place: Place;
  /** The program's own object, which may serve one name only. */
  user?: object;
  /** Makes the service. The descriptor is lent; the keys are the predecessor's, if it had a TLS server there. */
  service: (fd: Fd, ticketKeys: string | undefined) => S;
}

export class Registry {
  readonly #listeners = new Map<string, Listener>();
  /** Received and not claimed by a listen() yet. */
  readonly #inherited = new Map<string, Fd>();
  #stateLabel: StateLabel | undefined;
  readonly #ticketKeys = new Map<string, string>();
  /** Of listeners that the program has closed: their connections go on. */
  #former: Service[] = [];
  /** By those whose connections have all ended: nothing else is kept of them. */
  #acceptedBefore = 0;
  /** Those that the program has taken: they are its own. */
  readonly #taken = new Set<string>();

  /**
   * Takes a received descriptor over, if it is what the manifest says.
   * @throws ERR_HANDOFF_PROTOCOL; the descriptor is closed then
   */
  inherit(entry: ManifestEntry, fd: Fd): void {
    if (!fits(entry, manifestEntry(entry.name, fd.describe())) || this.#inherited.has(entry.name)) {
      fd.close();
      const what = `${entry.listening ? 'listening ' : ''}${entry.type || entry.kind}`;
      throw protocolError(`the descriptor of ${entry.name} is not the ${what} on ${entry.address}`);
    }
    this.#inherited.set(entry.name, fd);
    if (entry.name === STATE_NAME) this.#stateLabel = entry.state;
    if (entry.ticketKeys !== undefined) this.#ticketKeys.set(entry.name, entry.ticketKeys);
  }

  /** The inherited state, if there is one, which the caller owns from here. */
  takeState(): StateBlob | undefined {
    const fd = this.#inherited.get(STATE_NAME);
    if (fd === undefined || this.#stateLabel === undefined) return undefined;
    this.#inherited.delete(STATE_NAME);
    return { fd, label: this.#stateLabel };
  }

  /** The inherited control listener, which the caller owns from here. */
  takeControl(): Fd | undefined {
    const fd = this.#inherited.get(CONTROL_NAME);
    this.#inherited.delete(CONTROL_NAME);
    return fd;
  }

  /**
   * Gives a service the inherited descriptor of that name, if it is at the place that is wanted, or a new one. It
   * does not start yet.
   */
  claim<S extends Service>(name: string, { place, user, service }: Claim<S>): S {
    this.requireFree(name, user);
    const inherited = this.#inherited.get(name);
    const use = inherited !== undefined && place.matches(inherited.describe());
    const { fd, name: file } = use ? { fd: inherited, name: undefined } : place.bind();
    let made: S;
    try {
      made = service(fd, use ? this.#ticketKeys.get(name) : undefined);
    } catch (error) {
      if (!use) {
        file?.unlink();
        fd.close();
      }
      throw error;
    }
    if (use) this.#inherited.delete(name);
    this.#listeners.set(name, { fd, name: file, inherited: use, service: made });
    return made;
  }

  /**
   * For whoever has to ask for a descriptor first: claim() would take it.
   * @throws RangeError, ERR_HANDOFF_NAME_TAKEN, ERR_HANDOFF_TOO_MANY_LISTENERS, ERR_HANDOFF_SERVER_TAKEN
   */
  requireFree(name: string, user?: object): void {
    if (!LISTENER_NAME.test(name)) {
      throw outOfRange('name', '1 to 64 letters, digits, and any of . _ : / -', name);
    }
    if (this.#listeners.has(name)) {
      throw new FdpassError(
        'ERR_HANDOFF_NAME_TAKEN',
        `there is a listener named ${name} already; give each its own name`,
      );
    }
    if (this.#listeners.size >= MAX_LISTENERS) {
      throw new FdpassError(
        'ERR_HANDOFF_TOO_MANY_LISTENERS',
        `a process can hand over ${MAX_LISTENERS} listeners`,
      );
    }
    this.#requireUnused(name, user);
  }

  /** Keeps a descriptor, which it owns from here, under that name; one that was put there before is closed. */
  put(name: string, fd: Fd): void {
    const before = this.#listeners.get(name);
    try {
      if (!(before?.service instanceof KeptService)) this.requireFree(name);
    } catch (error) {
      fd.close();
      throw error;
    }
    before?.fd.close();
    this.#listeners.set(name, { fd, name: undefined, inherited: false, service: new KeptService() });
  }

  /** The inherited descriptor of that name, which the caller owns from here. */
  take(name: string): Fd | undefined {
    const fd = isOurs(name) ? undefined : this.#inherited.get(name);
    if (fd === undefined) return undefined;
    this.#inherited.delete(name);
    this.#taken.add(name);
    return fd;
  }

  /** Accepts on every listener that does not yet. */
  async start(): Promise<void> {
    for (const { service, fd } of this.#listeners.values()) await service.start(fd);
  }

  /** The names that were handed down, and nobody has asked for yet. */
  get unclaimed(): string[] {
    return [...this.#inherited.keys()].filter((name) => !isOurs(name));
  }

  /** The names that were handed down and are in use. */
  get inherited(): string[] {
    const claimed = [...this.#listeners].filter(([, { inherited }]) => inherited).map(([name]) => name);
    return [...claimed, ...this.#taken];
  }

  /** The names that this process has opened itself. */
  get bound(): string[] {
    const bound = [...this.#listeners].filter(([, { inherited, service }]) => {
      return !inherited && !(service instanceof KeptService);
    });
    return bound.map(([name]) => name);
  }

  /** Connections that were accepted so far. */
  get accepted(): number {
    return this.#services.reduce((sum, { accepted }) => sum + accepted, this.#acceptedBefore);
  }

  /** Connections that are open. */
  get open(): number {
    return this.#services.reduce((sum, { open }) => sum + open, 0);
  }

  get #services(): Service[] {
    return [...[...this.#listeners.values()].map(({ service }) => service), ...this.#former];
  }

  /** From here this process owns the names: files are ours to remove. */
  own(): void {
    for (const listener of this.#listeners.values()) {
      if (listener.service instanceof KeptService) continue; // its maker's
      const { local } = listener.fd.describe();
      if (local instanceof UnixAddress) listener.name ??= holdName(local);
    }
  }

  /**
   * Stops accepting on what the successor accepts on; undefined: on everything. The rest goes on: its clients
   * would wait for somebody who may never accept.
   */
  pause(inherited: readonly string[] | undefined): void {
    for (const [name, { service, fd }] of this.#listeners) {
      if (inherited === undefined || inherited.includes(name)) service.pause(fd);
    }
  }

  /** Undoes pause(). @returns false if some have no descriptor to do it with: try again */
  resume(): boolean {
    let complete = true;
    for (const { service, fd } of this.#listeners.values()) {
      try {
        service.resume(fd);
      } catch {
        complete = false; // the others shall accept
      }
    }
    return complete;
  }

  /** What nobody has claimed is closed: nobody would accept on it. */
  closeInherited(): void {
    Fd.closeAll(this.#inherited.values());
    this.#inherited.clear();
  }

  /** What a successor is told. Version 1 knows listening streams only. */
  manifest({ control, state }: Ours, version: number): ManifestEntry[] {
    const entries = [...this.#listeners].map(([name, { fd, service }]) => {
      const ticketKeys = service.ticketKeys?.();
      return { ...manifestEntry(name, fd.describe()), ...(ticketKeys === undefined ? {} : { ticketKeys }) };
    });
    const first = manifestEntry(CONTROL_NAME, describeFd(control.fd));
    if (version === 1)
      return [first, ...entries.filter(({ type, listening }) => type === 'stream' && listening)];
    if (state === undefined) return [first, ...entries];
    return [first, ...entries, { ...manifestEntry(STATE_NAME, state.fd.describe()), state: state.label }];
  }

  /** The descriptor of a name, lent. */
  lend(name: string): Fd {
    const listener = this.#listeners.get(name);
    if (listener === undefined) throw protocolError(`there is no listener ${name}`);
    return listener.fd;
  }

  /**
   * Stops accepting for good.
   * @param options.unlink the listeners whose files go, too: nobody takes over
   */
  stop(options: { unlink: (name: string) => boolean }): void {
    for (const [listener, { fd, name, service }] of this.#listeners) {
      if (fd.fd === -1) continue; // stopped already
      if (options.unlink(listener)) name?.unlink(); // while its socket is open: see holdName()
      service.stop(fd);
      fd.close();
    }
  }

  /** The program has closed that one itself: its name is free again. Its connections go on. */
  forget(name: string): void {
    const listener = this.#listeners.get(name);
    if (listener === undefined) return;
    this.#listeners.delete(name);
    listener.service.stop(listener.fd);
    listener.fd.close();
    const former = [...this.#former, listener.service];
    this.#former = former.filter(({ open }) => open > 0);
    for (const { open, accepted } of former) if (open === 0) this.#acceptedBefore += accepted;
  }

  /** The same of one that nobody is to have after us: its file goes, too. */
  discard(name: string): void {
    this.#listeners.get(name)?.name?.unlink(); // while its socket is open: see holdName()
    this.forget(name);
  }

  async drain(setLimit: SetLimit): Promise<DrainCount> {
    const counts = await Promise.all(this.#services.map((service) => service.drain(setLimit)));
    return counts.reduce(
      (sum, count) => ({ closed: sum.closed + count.closed, forced: sum.forced + count.forced }),
      { closed: 0, forced: 0 },
    );
  }

  /** Behind the drain of a process that goes on without the service: its datagram sockets send no more. */
  release(): void {
    for (const { service } of this.#listeners.values()) service.release?.();
  }

  status(): ListenerStatus[] {
    return [...this.#listeners].map(([name, { fd, inherited, service }]) => {
      const address = fd.fd === -1 ? '(closed)' : addressOf(fd);
      return { name, address, inherited, connections: service.open };
    });
  }

  #requireUnused(name: string, user: object | undefined): void {
    if (user === undefined || ![...this.#listeners.values()].some(({ service }) => service.user === user))
      return;
    throw new FdpassError(
      'ERR_HANDOFF_SERVER_TAKEN',
      `the server of ${name} has a listener already; one server, one name`,
    );
  }
}

function manifestEntry(name: string, info: FdInfo): ManifestEntry {
  const { kind, family = '', type = '', listening = false, local, inode } = info;
  const address = local === undefined ? '' : printEndpoint(local);
  // An address tells a socket; anything else is told by its inode.
  return { name, family, type, address, kind, listening, ...(address === '' ? { inode: `${inode}` } : {}) };
}

function fits(said: ManifestEntry, seen: ManifestEntry): boolean {
  const fields = ['family', 'type', 'address', 'kind', 'listening', 'inode'] as const;
  return fields.every((field) => said[field] === seen[field]);
}

/** For an operator. */
function addressOf(fd: Fd): string {
  const info = fd.describe();
  return info.local === undefined ? explain(info, linkOf(fd.fd)) : printEndpoint(info.local);
}
