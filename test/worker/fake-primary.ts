// FakePrimary: what a worker sees of a pool, for tests that say each word themselves.
import { EventEmitter, once } from 'node:events';
import path from 'node:path';
import { Fd, UnixAddress, type UnixSeqpacket } from 'fdpass';
import { udpPlace } from '#fdpass/handoff/datagram-place';
import { streamPlace } from '#fdpass/handoff/endpoint';
import { Link, openLinkPair } from '#fdpass/worker/link';
import {
  type Delivery,
  type PlaceRequest,
  type PrimaryMessage,
  readWorkerMessage,
  type WorkerMessage,
} from '#fdpass/worker/messages';
import { type Child, start } from '../helpers/child';
import { within } from '../helpers/stage';
import type { Ending } from '../helpers/tmp-dir';

type Heard<T extends WorkerMessage['type']> = Extract<WorkerMessage, { type: T }>;

export interface WorkerSpec {
  /** Of test/fixtures. Default: worker-program. */
  fixture?: string;
  /** The whole path of a program instead. */
  program?: string;
  args?: string[];
  nodeArgs?: string[];
  env?: NodeJS.ProcessEnv;
  /** Lent, instead of a pipe. */
  stderr?: number;
}

/** The other end of one worker's link. */
export class Peer {
  readonly heard: WorkerMessage[] = [];
  readonly #news = new EventEmitter();
  readonly #primary: FakePrimary;
  link!: Link<PrimaryMessage, WorkerMessage>;
  /** The link has ended. */
  gone = false;

  constructor(primary: FakePrimary, socket: UnixSeqpacket) {
    this.#primary = primary;
    this.link = new Link(socket, readWorkerMessage, {
      onMessage: (message, fds) => {
        this.heard.push(message);
        void this.#primary.react(this, message, fds).finally(() => this.#news.emit('news'));
      },
      onGarbage: (reason) => this.#news.emit('error', new Error(`garbage: ${reason}`)),
      onEnd: () => {
        this.gone = true;
        this.#news.emit('news');
      },
    });
  }

  say(message: PrimaryMessage, fds: readonly Fd[] = []): void {
    this.link.send(message, fds);
  }

  hangUp(): void {
    this.link.close();
    this.gone = true;
  }

  /** The next message of that type, which may have come already; each is given once. */
  async hears<T extends WorkerMessage['type']>(type: T): Promise<Heard<T>> {
    return await within(`${type} of the worker`, async (signal) => {
      for (;;) {
        const at = this.heard.findIndex((message) => message.type === type);
        if (at !== -1) return this.heard.splice(at, 1)[0] as Heard<T>;
        if (this.gone)
          throw new Error(`the worker has hung up without ${type}: ${JSON.stringify(this.heard)}`);
        await once(this.#news, 'news', { signal });
      }
    });
  }

  async ends(): Promise<void> {
    await within('the end of the link', async (signal) => {
      while (!this.gone) await once(this.#news, 'news', { signal });
    });
  }
}

export interface Worker extends Peer {
  readonly child: Child;
  /** The next line that starts with that word. */
  says(word: string): Promise<string>;
  /** The same, of a word with an object. */
  // biome-ignore lint/suspicious/noExplicitAny: each test says what it expects
  tells(word: string): Promise<any>;
}

export class FakePrimary {
  /** By name. They close with the test. */
  readonly listeners = new Map<string, Fd>();
  readonly asked: { name: string; place: PlaceRequest }[] = [];
  delivery: Delivery = 'shared';
  /** Answers 'hello' and 'listen' by itself. */
  obliging = true;
  readonly #t: Ending;
  #workers = 0;

  constructor(t: Ending) {
    this.#t = t;
    t.after(() => {
      for (const fd of this.listeners.values()) fd.close();
    });
  }

  start({
    fixture = 'worker-program',
    program,
    args = [],
    nodeArgs = [],
    env = {},
    stderr,
  }: WorkerSpec = {}): Worker {
    const { ours, theirs } = openLinkPair();
    const file = program ?? path.join(__dirname, '..', 'fixtures', `${fixture}.js`);
    const { NODE_TEST_CONTEXT: _, NODE_EXTRA_CA_CERTS: __, ...inherited } = process.env;
    const child = start(this.#t, process.execPath, [...nodeArgs, file, ...args], {
      stdio: ['pipe', 'pipe', stderr ?? 'pipe', theirs.fd],
      env: { ...inherited, FDPASS_LINK: `3:${theirs.describe().inode}`, ...env },
    });
    theirs.close();
    const peer = new Peer(this, ours);
    this.#t.after(() => peer.link.close());
    const says = async (word: string): Promise<string> =>
      await within(`"${word}" of the worker`, async () => {
        for (;;) {
          const line = await child.line();
          if (line.startsWith(word)) return line.slice(word.length).trim();
        }
      });
    return Object.assign(peer, { child, says, tells: async (word: string) => JSON.parse(await says(word)) });
  }

  /** The place of a worker that comes back is kept. */
  async react(peer: Peer, message: WorkerMessage, fds: Fd[]): Promise<void> {
    if (message.type === 'hello' && message.back !== undefined)
      message.back.listeners.forEach(({ name }, index) => {
        const fd = fds[index] as Fd;
        if (this.listeners.has(name)) fd.close();
        else this.listeners.set(name, fd);
      });
    else Fd.closeAll(fds);
    if (this.obliging) await this.oblige(peer, message);
  }

  /** Answers as a primary does. */
  async oblige(peer: Peer, message: WorkerMessage): Promise<void> {
    if (message.type === 'hello') {
      const worker = message.back?.worker ?? ++this.#workers;
      peer.say({ type: 'welcome', version: 1, worker, generation: 7, pid: process.pid });
    }
    if (message.type === 'listen') {
      const { request, name, place } = message;
      this.asked.push({ name, place });
      const fd = this.listeners.get(name) ?? (await bind(place));
      this.listeners.set(name, fd);
      peer.say({ type: 'listener', request, delivery: this.delivery }, [fd]);
    }
  }

  port(name: string): number {
    const { local } = (this.listeners.get(name) as Fd).describe();
    return (local as { port: number }).port;
  }
}

async function bind(place: PlaceRequest): Promise<Fd> {
  const { kind, ...rest } = place as PlaceRequest & { unix?: { kind: string; bytes: string } };
  if (kind === 'udp') return udpPlace(rest as never).bind().fd;
  const { unix, ...options } = rest as { unix?: { kind: string; bytes: string } };
  if (unix === undefined) return (await streamPlace(options)).bind().fd;
  const bytes = Buffer.from(unix.bytes, 'base64');
  const address = unix.kind === 'abstract' ? UnixAddress.abstract(bytes) : UnixAddress.path(bytes);
  return (await streamPlace({ ...options, path: address })).bind().fd;
}
