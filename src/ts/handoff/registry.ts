// Registry: the listeners of this process by name, inherited or bound, and the servers that use them.
import type net from 'node:net';
import { FdpassError, outOfRange } from '../base/errors';
import { UnixAddress } from '../fd/address';
import { adoptServer } from '../fd/adopt';
import { describeFd, type FdInfo, printEndpoint } from '../fd/describe';
import { Fd } from '../fd/fd';
import { type BoundName, holdName } from '../sockets/bind-path';
import { Connections, type DrainCount } from './connections';
import { bindEndpoint, type Endpoint, matches } from './endpoint';
import { protocolError } from './frame';
import { CONTROL_NAME, MAX_LISTENERS, type ManifestEntry } from './payloads';

/** Names travel in the manifest, which has one frame. CONTROL_NAME is none of these. */
const LISTENER_NAME = /^[A-Za-z0-9._:/-]{1,64}$/;

interface Listener {
  /** What is handed over. The server works on a duplicate. */
  fd: Fd;
  /** Set once this process is responsible for the file of a unix address. */
  name: BoundName | undefined;
  inherited: boolean;
  backlog: number;
  server: net.Server;
  connections: Connections;
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
      backlog: endpoint.backlog,
      server,
      connections: new Connections(server),
    });
  }

  /** Starts accepting on every listener that does not yet. */
  async accept(): Promise<void> {
    for (const { server, fd, backlog } of this.#listeners.values()) {
      if (server.listening) continue;
      using duplicate = Fd.dup(fd); // ours again if it is not adopted
      await adoptServer(server, duplicate, { backlog });
    }
  }

  /** From here this process owns the names: what nobody claimed is closed, files are ours to remove. */
  own(): void {
    this.closeInherited();
    for (const listener of this.#listeners.values()) {
      const { local } = listener.fd.describe();
      if (local instanceof UnixAddress) listener.name ??= holdName(local);
    }
  }

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

  /** @param options.unlink removes the files of unix addresses: nobody takes over */
  stopAccepting(options: { unlink: boolean }): void {
    for (const { fd, name, connections } of this.#listeners.values()) {
      if (options.unlink) name?.unlink();
      connections.stopAccepting();
      fd.close();
    }
  }

  async drain(setLimit: (cut: () => void) => () => void): Promise<DrainCount> {
    const counts = await Promise.all(
      [...this.#listeners.values()].map(({ connections }) => connections.drain(setLimit)),
    );
    return counts.reduce(
      (sum, count) => ({ closed: sum.closed + count.closed, forced: sum.forced + count.forced }),
      { closed: 0, forced: 0 },
    );
  }

  status(): ListenerStatus[] {
    return [...this.#listeners].map(([name, { fd, inherited, connections }]) => {
      const local = fd.fd === -1 ? undefined : fd.describe().local;
      const address = local === undefined ? '(closed)' : printEndpoint(local);
      return { name, address, inherited, connections: connections.open };
    });
  }

  #requireFree(name: string, server: net.Server): void {
    if (!LISTENER_NAME.test(name)) {
      throw outOfRange('name', '1 to 64 letters, digits, and any of . _ : / -', name);
    }
    if ([...this.#listeners.values()].some((listener) => listener.server === server)) {
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
