// MetricsEndpoint: the metrics of a pool, to be had at a port, a path or a name.
import { once } from 'node:events';
import type http from 'node:http';
import type { SystemError } from '../base/errors';
import { explainPort } from '../names/address-in-use';
import type { PoolReport } from '../pool/metrics';
import { createMetricsServer } from '../pool/metrics-server';
import { listenUnix } from '../sockets/listen-unix';
import type { MetricsPlace } from './metrics-place';

/** From one try to the next, while a predecessor has the place. */
const AGAIN_MS = 100;

/** A predecessor that was superseded closes at once. Whoever has the place later is somebody else. */
const PATIENCE_MS = 5_000;

export interface LateHooks {
  /** Why it is not open yet; said once. It goes on trying. */
  late(error: Error): void;
  /** Default PATIENCE_MS. */
  patienceMs?: number;
}

export class MetricsEndpoint {
  readonly #place: MetricsPlace;
  readonly #server: http.Server;
  #closed = false;
  /** Since when nobody but this process should have the place, by performance.now(). */
  #ownSince = Number.POSITIVE_INFINITY;
  #timer: NodeJS.Timeout | undefined;

  constructor(place: MetricsPlace, report: () => PoolReport) {
    this.#place = place;
    this.#server = createMetricsServer(report);
  }

  /** @throws SystemError EADDRINUSE, EACCES, ... */
  async open(): Promise<void> {
    try {
      await this.#listen();
    } catch (error) {
      throw explained(error as SystemError, this.#place);
    }
  }

  /** As soon as the predecessor has left the place, which it keeps until it is superseded. */
  openLater({ late, patienceMs = PATIENCE_MS }: LateHooks): void {
    const attempt = (told: boolean): void => {
      this.#listen().catch((error: SystemError) => {
        if (this.#closed) return;
        const tell = !told && performance.now() - this.#ownSince >= patienceMs;
        if (tell) late(explained(error, this.#place)); // not each time: that is a look at all processes
        this.#timer = setTimeout(() => attempt(told || tell), AGAIN_MS).unref();
      });
    };
    attempt(false);
  }

  /** The predecessor has been superseded. */
  own(): void {
    this.#ownSince = performance.now();
  }

  close(): void {
    this.#closed = true;
    clearTimeout(this.#timer);
    if (!this.#server.listening) return;
    this.#server.close();
    this.#server.closeAllConnections();
  }

  async #listen(): Promise<void> {
    const server = this.#server;
    if ('path' in this.#place) await listenUnix(server, this.#place.path, { replaceStale: true });
    else await once(server.listen(this.#place.port, this.#place.host), 'listening');
    server.unref();
    if (this.#closed) this.close(); // meanwhile
  }
}

function explained(error: SystemError, place: MetricsPlace): SystemError {
  if ('path' in place) return error;
  const { address = place.host } = error; // a name has been looked up
  return explainPort(error, { protocol: 'tcp', address, port: place.port });
}
