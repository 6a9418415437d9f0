// Registry: the listeners of this process by name, inherited or bound, and the servers that use them.
import type net from 'node:net';
import { FdpassError, outOfRange } from '../base/errors';
import { UnixAddress } from '../fd/address';
import { describeFd, type FdInfo, printEndpoint } from '../fd/describe';
import type { Fd } from '../fd/fd';
import { type BoundName, holdName } from '../sockets/bind-path';
import type { DrainCount } from './connections';
import { bindEndpoint, type Endpoint, matches } from './endpoint';
import { protocolError } from './frame';
import { CONTROL_NAME, MAX_LISTENERS, type ManifestEntry } from './payloads';
import { ServerService, type SetLimit } from './service';

/** Names travel in the manifest, which has one frame. CONTROL_NAME is none of these. */
const LISTENER_NAME = /^[A-Za-z0-9._:/-]{1,64}$/;

interface Listener {
  /** What is handed over. The service works on a duplicate. */
  fd: Fd;
  /** Set once this process is responsible for the file of a unix address. */
  name: BoundName | undefined;
  inherited: boolean;
  service: ServerService;
}

export interface ListenerStatus {
  name: string;
  address: string;
  inherited: boolean;
  connections: number;
}

export class Registry {
  readonly #listeners = new Map<string, Listener>();
  /** Received and not claimed by a listen() yet. */
  readonly #inherited = new Map<string, Fd>();

  /**
   * Takes a received descriptor over, if it is what the manifest says.
   * @throws ERR_HANDOFF_PROTOCOL; the descriptor is closed then
   */
  inherit(entry: ManifestEntry, fd: Fd): void {
    const info = fd.describe();
    const address = info.local === undefined ? '' : printEndpoint(info.local);
    const fits = info.family === entry.family && info.type === entry.type && address === entry.address;
    if (!fits || info.listening !== true || this.#inherited.has(entry.name)) {
      fd.close();
      throw protocolError(
        `the descriptor of listener ${entry.name} is not the ${entry.type} socket on ${entry.address}`,
      );
    }
    this.#inherited.set(entry.name, fd);
  }

  /** The inherited control listener, which the caller owns from here. */
  takeControl(): Fd | undefined {
    const fd = this.#inherited.get(CONTROL_NAME);
    this.#inherited.delete(CONTROL_NAME);
    return fd;
  }

  /**
   * Gives `server` the inherited listener of that name, if its address is still wanted, or a new one.
   * It does not accept yet.
   */
  claim(name: string, server: net.Server, endpoint: Endpoint): void {
    this.#requireFree(name, server);
    const inherited = this.#inherited.get(name);
    const use = inherited !== undefined && matches(endpoint, inherited.describe());
    const bound = use ? { fd: inherited, name: undefined } : bindEndpoint(endpoint);
    if (use) this.#inherited.delete(name);
    this.#listeners.set(name, {
      ...bound,
      inherited: use,
      service: new ServerService(server, endpoint.backlog),
    });
  }

  /** Accepts on every listener that does not yet. */
  async start(): Promise<void> {
    for (const { service, fd } of this.#listeners.values()) await service.start(fd);
  }

  /** The names that were handed down and are in use. */
  get inherited(): string[] {
    return [...this.#listeners].filter(([, { inherited }]) => inherited).map(([name]) => name);
  }

  /** The names that this process has opened itself. */
  get bound(): string[] {
    return [...this.#listeners].filter(([, { inherited }]) => !inherited).map(([name]) => name);
  }

  /** Connections that were accepted so far. */
  get accepted(): number {
    return [...this.#listeners.values()].reduce((sum, { service }) => sum + service.accepted, 0);
  }

  /** From here this process owns the names: files are ours to remove. */
  own(): void {
    for (const listener of this.#listeners.values()) {
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

  /** Undoes pause(). */
  resume(): void {
    for (const { service, fd } of this.#listeners.values()) service.resume(fd);
  }

  /** What nobody has claimed is closed: nobody would accept on it. */
  closeInherited(): void {
    for (const fd of this.#inherited.values()) fd.close();
    this.#inherited.clear();
  }

  /** What a successor is told; `control` is its listener. */
  manifest(control: Fd): ManifestEntry[] {
    const entries = [...this.#listeners].map(([name, { fd }]) => manifestEntry(name, fd.describe()));
    return [manifestEntry(CONTROL_NAME, describeFd(control.fd)), ...entries];
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

  async drain(setLimit: SetLimit): Promise<DrainCount> {
    const counts = await Promise.all(
      [...this.#listeners.values()].map(({ service }) => service.drain(setLimit)),
    );
    return counts.reduce(
      (sum, count) => ({ closed: sum.closed + count.closed, forced: sum.forced + count.forced }),
      { closed: 0, forced: 0 },
    );
  }

  status(): ListenerStatus[] {
    return [...this.#listeners].map(([name, { fd, inherited, service }]) => {
      const local = fd.fd === -1 ? undefined : fd.describe().local;
      const address = local === undefined ? '(closed)' : printEndpoint(local);
      return { name, address, inherited, connections: service.open };
    });
  }

  #requireFree(name: string, server: net.Server): void {
    if (!LISTENER_NAME.test(name)) {
      throw outOfRange('name', '1 to 64 letters, digits, and any of . _ : / -', name);
    }
    if ([...this.#listeners.values()].some(({ service }) => service.server === server)) {
      throw new FdpassError(
        'ERR_HANDOFF_SERVER_TAKEN',
        `the server of ${name} has a listener already; one server, one name`,
      );
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
  }
}

function manifestEntry(name: string, info: FdInfo): ManifestEntry {
  const { family, type, local } = info;
  if (family === undefined || type === undefined || local === undefined) {
    throw protocolError(`listener ${name} is no socket any more`);
  }
  return { name, family, type, address: printEndpoint(local) };
}
