// PlainListener: a server that listens by Node's own means and belongs to a handoff that hands nothing over.
import { once } from 'node:events';
import { chmodSync, rmSync } from 'node:fs';
import net from 'node:net';
import { hasCode } from '../base/errors';
import { isSupported, unsupportedPlatform } from '../native/binding';
import { Connections, type DrainCount } from './connections';
import { type ListenerOptions, validateListenerOptions } from './endpoint';
import type { SetLimit } from './service';

export class PlainListener {
  readonly server: net.Server;
  readonly #connections: Connections;

  private constructor(server: net.Server, options: ListenerOptions) {
    this.server = server;
    this.#connections = new Connections(server, options.drain);
  }

  /** Resolves when it accepts: who else should? @throws SystemError as server.listen() gives it */
  static async open(server: net.Server, options: ListenerOptions): Promise<PlainListener> {
    const { port, path, drain, mode, ...rest } = readOptions(options);
    const listener = new PlainListener(server, drain === undefined ? {} : { drain });
    if (path === undefined) {
      await listen(server, { ...rest, port: port ?? 0 });
      return listener;
    }
    try {
      await listen(server, { ...rest, path });
    } catch (error) {
      if (!hasCode(error, 'EADDRINUSE') || !(await isLeftover(path))) throw error;
      rmSync(path);
      await listen(server, { ...rest, path });
    }
    if (mode !== undefined && process.platform !== 'win32') chmodSync(path, mode);
    return listener;
  }

  get address(): string {
    const address = this.server.address();
    if (address === null) return '(closed)';
    if (typeof address === 'string') return address;
    const host = address.family === 'IPv6' ? `[${address.address}]` : address.address;
    return `${host}:${address.port}`;
  }

  get open(): number {
    return this.#connections.open;
  }

  /** As a handoff does it: connections go on, and 'close' comes with the last of them. */
  stop(): void {
    if (this.server.listening) net.Server.prototype.close.call(this.server);
  }

  drain(setLimit: SetLimit): Promise<DrainCount> {
    return this.#connections.drain(setLimit);
  }
}

type ReadOptions = Omit<ListenerOptions, 'path'> & { path: string | undefined };

/** What Node does not check, or would take for something else. */
function readOptions(options: ListenerOptions): ReadOptions {
  validateListenerOptions(options);
  const { path } = options;
  const text = path === undefined ? undefined : String(path);
  if (!isSupported && text !== undefined && /^[@\0]/.test(text))
    throw unsupportedPlatform(`the abstract address ${JSON.stringify(text)}`);
  return { ...options, path: text };
}

async function listen(server: net.Server, options: net.ListenOptions): Promise<void> {
  server.listen(options);
  await once(server, 'listening'); // or rejects with its 'error'
}

/** A file at which nobody listens. */
async function isLeftover(path: string): Promise<boolean> {
  const probe = net.connect(path);
  try {
    await once(probe, 'connect');
    return false;
  } catch (error) {
    return hasCode(error, 'ECONNREFUSED');
  } finally {
    probe.destroy();
  }
}
