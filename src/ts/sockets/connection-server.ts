// ConnectionServer: what servers of connections share: listening, accepting in batches, the life cycle.
import { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { abortError, onCancel, validateSignal } from '../base/abort';
import { closedError, FdpassError, systemError } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import {
  BIND_OPTIONS,
  type BindOptions,
  type BoundName,
  bindUnix,
  holdName,
  leave,
} from '../names/bind-path';
import { binding } from '../native/binding';
import { passRights } from './passing';
import { READABLE, Readiness } from './readiness';

/** Connections accepted in one turn of the loop, so that a flood leaves time for others. */
const ACCEPT_BATCH = 16;

/** A process without free descriptors tries again after this; until then the queue is the kernel's. */
const EMFILE_PAUSE_MS = 100;

const { EAGAIN, ECONNABORTED } = constants.errno;

export interface ConnectionServerEvents<Connection> {
  connection: [connection: Connection];
  listening: [];
  error: [error: Error];
  close: [];
}

export interface ListenOptions extends BindOptions {
  /** Connections that wait to be accepted; one more is let in, the next connect() fails with EAGAIN. Default 511. */
  backlog?: number;
  /** So many at a time; the next ones wait in the backlog until one has closed. Default: no limit. */
  maxConnections?: number;
  /** Closes the server when aborted, as that of net.Server.listen() does. Connections live on. */
  signal?: AbortSignal;
}

const LISTEN_OPTIONS: KnownNames<ListenOptions> = {
  ...BIND_OPTIONS,
  backlog: true,
  maxConnections: true,
  signal: true,
};

const CLOSE_OPTIONS: KnownNames<{ unlink?: boolean }> = { unlink: true };

/** What to say to those who give the constructor of a server a signal. */
export const SIGNAL_ELSEWHERE = {
  signal:
    'give it to listen(), which closes the server then; a connection is ended by its own close() or destroy()',
};

/** What all kinds of connection have. */
interface Closable {
  once(event: 'close', listener: () => void): unknown;
}

/** What a kind of server adds. */
export interface ConnectionKind<Connection> {
  /** SOCK_* */
  type: number;
  /** Descriptors that a connection takes in a message: with 0, none can be sent to it. */
  maxFds: number;
  /** Owns `fd` once it has returned; while it throws, the server does. */
  open(fd: Fd): Connection;
  /** At once: what it would still send is lost. */
  cut(connection: Connection): void;
}

export abstract class ConnectionServer<Connection extends Closable> extends EventEmitter<
  ConnectionServerEvents<Connection>
> {
  readonly #kind: ConnectionKind<Connection>;
  readonly #numbers = new Int32Array(ACCEPT_BATCH);
  /** Accepted, and not connections yet. Bounded by one batch. */
  readonly #accepted: Fd[] = [];
  readonly #connections = new Set<Connection>();
  #maxConnections = Number.POSITIVE_INFINITY;
  #stopSignal = (): void => {};
  #listener: { fd: Fd; readiness: Readiness; name: BoundName } | undefined;
  #closing: Promise<void> | undefined;
  #ref = true;
  #pause: NodeJS.Timeout | undefined;
  #short = false;

  protected constructor(kind: ConnectionKind<Connection>) {
    super();
    this.#kind = kind;
  }

  /** The number, borrowed, so that the server can be lent; -1 when it does not listen. */
  get fd(): number {
    return this.#listener?.fd.fd ?? -1;
  }

  get listening(): boolean {
    return this.#listener !== undefined;
  }

  /**
   * Binds and listens, now; 'listening' follows.
   * @throws SystemError EADDRINUSE, EACCES, ENOENT; ERR_FDPASS_CLOSED; ERR_FDPASS_LISTENING; AbortError
   */
  listen(address: AddressLike, options: ListenOptions = NO_OPTIONS): this {
    validateOptions('options', options, LISTEN_OPTIONS);
    if (this.#closing !== undefined) throw closedError(this.constructor.name);
    if (this.#listener !== undefined)
      throw new FdpassError('ERR_FDPASS_LISTENING', 'this server listens already');
    const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 0, 2 ** 31 - 1);
    const { maxConnections, signal } = options;
    if (maxConnections !== undefined)
      validateInteger('options.maxConnections', maxConnections, 1, 2 ** 31 - 1);
    validateSignal('options.signal', signal);
    if (signal?.aborted) throw abortError(signal);
    const { type } = this.#kind;
    const fd = Fd.own(binding.openSocket(type));
    try {
      const name = bindUnix({ fd: fd.fd, type, backlog }, UnixAddress.from(address), options);
      this.#start(fd, name);
    } catch (error) {
      fd.close();
      throw error;
    }
    this.#maxConnections = maxConnections ?? Number.POSITIVE_INFINITY;
    this.#stopSignal = onCancel({ signal }, 'the server', () => void this.close());
    return this;
  }

  /**
   * The name that is served.
   * @throws ERR_FDPASS_CLOSED when it does not listen
   */
  address(): UnixAddress {
    if (this.#listener === undefined) throw closedError(this.constructor.name);
    return this.#listener.name.address;
  }

  ref(): this {
    return this.#setRef(true);
  }

  unref(): this {
    return this.#setRef(false);
  }

  /** Connections that are open. */
  get connections(): number {
    return this.#connections.size;
  }

  /** Cuts them, after close() for one. Those that are accepted later live. */
  closeAllConnections(): void {
    for (const connection of this.#connections) this.#kind.cut(connection);
  }

  /**
   * Stops accepting. Connections live on. Idempotent.
   * @param options.unlink false leaves the file to whoever listens on the socket now. Default true.
   */
  async close(options: { unlink?: boolean } = NO_OPTIONS): Promise<void> {
    validateOptions('options', options, CLOSE_OPTIONS);
    this.#closing ??= this.#close(options.unlink !== false);
    await this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** Starts on a listener that somebody else made; owns `fd` once it has returned. */
  protected startOn(fd: Fd, holdsName: boolean): void {
    const address = UnixAddress.fromSunPath(binding.localUnixAddress(fd.fd));
    this.#start(fd, holdsName ? holdName(address) : leave(address));
  }

  async #close(unlink: boolean): Promise<void> {
    clearTimeout(this.#pause);
    this.#stopSignal();
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.readiness.close();
    if (unlink) listener?.name.unlink();
    listener?.fd.close();
    Fd.closeAll(this.#accepted.splice(0));
    await new Promise<void>((resolve) => process.nextTick(resolve));
    this.emit('close');
  }

  #start(fd: Fd, name: BoundName): void {
    passRights(fd.fd, this.#kind.maxFds > 0); // inherited by connections
    const readiness = new Readiness(fd.fd, () => this.#accept());
    this.#listener = { fd, readiness, name };
    readiness.setRef(this.#ref);
    this.#updateAccepting();
    process.nextTick(() => {
      if (this.listening) this.emit('listening');
    });
  }

  #setRef(ref: boolean): this {
    this.#ref = ref;
    this.#listener?.readiness.setRef(ref);
    ref ? this.#pause?.ref() : this.#pause?.unref();
    return this;
  }

  get #room(): number {
    return this.#maxConnections - this.#connections.size;
  }

  #updateAccepting(): void {
    const accepting = this.#pause === undefined && this.#room > 0;
    if (accepting) this.#listener?.readiness.want(READABLE);
    else this.#listener?.readiness.drop(READABLE);
  }

  #accept(): void {
    if (this.#listener === undefined || this.#pause !== undefined) return;
    if (this.#accepted.length === 0) {
      if (this.#room <= 0) return;
      const count = binding.accept(this.#listener.fd.fd, this.#numbers.subarray(0, this.#room));
      if (count === -EAGAIN || count === -ECONNABORTED) return;
      if (count < 0) {
        this.#pauseAccepting(systemError(count, 'accept'));
        return;
      }
      this.#accepted.push(...Array.from(this.#numbers.subarray(0, count), Fd.own));
    }
    this.#open();
  }

  // A handler that throws must not cost the connections behind it: they follow in the next turn, as does
  // one that could not get its watcher (which needs a descriptor of its own), once there is room.
  #open(): void {
    try {
      for (let fd = this.#accepted[0]; fd !== undefined; fd = this.#accepted[0]) {
        let connection: Connection;
        try {
          connection = this.#kind.open(fd);
        } catch (error) {
          this.#pauseAccepting(error as Error);
          return;
        }
        this.#accepted.shift();
        this.#short = false;
        this.#track(connection);
        if (!this.emit('connection', connection)) this.#kind.cut(connection);
      }
    } finally {
      if (this.#accepted.length > 0 && this.#pause === undefined) setImmediate(() => this.#accept());
    }
  }

  #track(connection: Connection): void {
    this.#connections.add(connection);
    this.#updateAccepting();
    connection.once('close', () => {
      this.#connections.delete(connection);
      this.#updateAccepting();
    });
  }

  // EMFILE, ENFILE, ENOMEM: the listener stays readable, so watching it would spin. Said once.
  #pauseAccepting(error: Error): void {
    this.#pause = setTimeout(() => {
      this.#pause = undefined;
      this.#updateAccepting();
      this.#accept();
    }, EMFILE_PAUSE_MS);
    if (!this.#ref) this.#pause.unref();
    this.#updateAccepting();
    const told = this.#short;
    this.#short = true;
    if (!told) this.emit('error', error);
  }
}
