// Clients of the servers that the handoff tests restart: one request each, or many workers that never stop asking.
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import tls from 'node:tls';
import { adoptSocket, Fd, UnixAddress } from 'fdpass';
import { SOCK_STREAM } from '#fdpass/fd/describe';
import { binding } from '#fdpass/native/binding';
import { within } from './stage';

/** Where a server listens: a port of an address, or a unix path ('\0name' if abstract). */
export type Target = { port: number; host?: string } | { path: string };

/** Asks once and gives the pid that answered. */
export type Ask = (path?: string) => Promise<number>;

export interface Client {
  ask: Ask;
  close(): void;
}

/** Node 20 cannot connect to an abstract address itself. */
export function connectTo(target: Target): net.Socket {
  if ('port' in target) return net.connect({ host: '127.0.0.1', ...target });
  if (!target.path.startsWith('\0')) return net.connect(target);
  const fd = Fd.own(binding.openSocket(SOCK_STREAM));
  try {
    binding.connect(fd.fd, UnixAddress.from(target.path).sunPath);
    return adoptSocket(fd);
  } catch (error) {
    fd.close();
    throw error;
  }
}

/** A connection for each request. */
export function netClient(target: Target): Client {
  const ask = async (): Promise<number> => {
    const socket = connectTo(target);
    let text = '';
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      text += chunk;
    });
    await once(socket, 'close'); // rejects for an error
    return pidIn(text);
  };
  return { ask, close() {} };
}

/** Keep-alive, unless told otherwise. */
export function httpClient(target: Target, options: { keepAlive?: boolean; ca?: Buffer } = {}): Client {
  const { keepAlive = true, ca } = options;
  const { Agent, get } = ca === undefined ? http : https;
  const agent = Object.assign(new Agent({ keepAlive, maxSockets: 1 }), {
    createConnection() {
      const socket = connectTo(target);
      return ca === undefined ? socket : tls.connect({ socket, ca, servername: 'localhost' });
    },
  });
  const ask = (path = '/'): Promise<number> =>
    new Promise((resolve, reject) => {
      const request = get({ agent, path }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (chunk: string) => {
          text += chunk;
        });
        response.on('error', reject);
        response.on('end', () => {
          if (response.statusCode === 200) resolve(pidIn(text));
          else reject(new Error(`status ${response.statusCode}`));
        });
      });
      request.on('error', reject);
    });
  return { ask, close: () => agent.destroy() };
}

/** One session as long as it lives, then the next; or one for each request. */
export function http2Client(
  target: Target,
  { keepAlive = true, ca }: { keepAlive?: boolean; ca?: Buffer } = {},
): Client {
  const connect = (): http2.ClientHttp2Session => {
    const session = http2.connect(ca === undefined ? 'http://localhost' : 'https://localhost', {
      createConnection() {
        const socket = connectTo(target);
        if (ca === undefined) return socket;
        return tls.connect({ socket, ca, servername: 'localhost', ALPNProtocols: ['h2'] });
      },
    });
    session.on('error', () => {}); // the streams of a broken session fail themselves
    return session;
  };
  let session = connect();
  const ask = async (path = '/'): Promise<number> => {
    for (;;) {
      if (session.closed || session.destroyed) session = connect();
      const stream = session.request({ ':path': path });
      let text = '';
      stream.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk;
      });
      await once(stream, 'close').catch(() => {}); // rstCode says it
      // Behind a GOAWAY: nobody has seen the request, and every client sends it again. RFC 9113, 8.7
      if (stream.rstCode === http2.constants.NGHTTP2_REFUSED_STREAM && session.closed) continue;
      if (stream.rstCode !== 0) throw new Error(`stream ended with code ${stream.rstCode}`);
      if (!keepAlive) session.close();
      return pidIn(text);
    }
  };
  return { ask, close: () => session.destroy() };
}

function pidIn(text: string): number {
  const pid = Number(text.replace('head ', ''));
  if (text !== '' && Number.isInteger(pid)) return pid;
  throw new Error(`"${text}" is no answer`);
}

export interface Outcome {
  answered: number;
  failures: string[];
  /** How many requests each process has answered. */
  byPid: Map<number, number>;
}

/** Workers that ask one request after the other until stop(). */
export class Load {
  readonly #outcome: Outcome = { answered: 0, failures: [], byPid: new Map() };
  readonly #workers: Promise<void>[];
  #running = true;
  #watchers: { pid: number; count: number; resolve(): void }[] = [];

  constructor(clients: Client[]) {
    this.#workers = clients.map((client) => this.#work(client));
  }

  /** Resolves when that process has answered so many requests. */
  async served(pid: number, count = 20): Promise<void> {
    await within(`${count} answers of process ${pid}`, async () => {
      if ((this.#outcome.byPid.get(pid) ?? 0) >= count) return;
      await new Promise<void>((resolve) => this.#watchers.push({ pid, count, resolve }));
    });
  }

  async stop(): Promise<Outcome> {
    this.#running = false;
    await within('the last answers', () => Promise.all(this.#workers));
    return this.#outcome;
  }

  async #work({ ask, close }: Client): Promise<void> {
    while (this.#running) {
      try {
        this.#count(await ask());
      } catch (error) {
        this.#outcome.failures.push(String(error));
      }
    }
    close();
  }

  #count(pid: number): void {
    const count = (this.#outcome.byPid.get(pid) ?? 0) + 1;
    this.#outcome.answered++;
    this.#outcome.byPid.set(pid, count);
    for (const watcher of this.#watchers)
      if (watcher.pid === pid && watcher.count <= count) watcher.resolve();
  }
}
