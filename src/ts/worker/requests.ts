// Requests: how many requests of HTTP/1 the servers of a worker have answered.
import diagnostics from 'node:diagnostics_channel';
import type net from 'node:net';

/** Hears of every response of the process. */
const CHANNEL = 'http.server.response.finish';

export class Requests {
  readonly #servers = new WeakSet<object>();
  #answered = 0;

  constructor() {
    diagnostics.subscribe(CHANNEL, this.#onFinish);
  }

  /** Those of that server count from here. */
  watch(server: net.Server): void {
    this.#servers.add(server);
  }

  get answered(): number {
    return this.#answered;
  }

  end(): void {
    diagnostics.unsubscribe(CHANNEL, this.#onFinish);
  }

  readonly #onFinish = (message: unknown): void => {
    if (this.#servers.has((message as { server: net.Server }).server)) this.#answered++;
  };
}
