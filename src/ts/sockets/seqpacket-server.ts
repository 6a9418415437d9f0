// UnixSeqpacketServer: listens for UnixSeqpacket connections, with the habits of net.Server.
import { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { closedError, FdpassError, systemError } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { validateInteger } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { SOCK_SEQPACKET } from '../fd/describe';
import { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { binding } from '../native/binding';
import { type BindOptions, type BoundName, bindUnix, holdName } from './bind-path';
import { validateSocketOptions } from './message';
import { passRights } from './message-socket';
import { READABLE, Readiness } from './readiness';
import { type SeqpacketOptions, UnixSeqpacket } from './seqpacket';

/** Connections accepted in one turn of the loop, so that a flood leaves time for others. */
const ACCEPT_BATCH = 16;

/** A process without free descriptors tries again after this; until then the queue is the kernel's. */
const EMFILE_PAUSE_MS = 100;

const { EAGAIN, ECONNABORTED } = constants.errno;

export interface SeqpacketServerEvents {
  connection: [socket: UnixSeqpacket];
  listening: [];
  error: [error: Error];
  close: [];
}

export interface ListenOptions extends BindOptions {
  /** Connections that wait to be accepted; one more is let in, the next connect() fails with EAGAIN. Default 511. */
  backlog?: number;
}

export interface AdoptSeqpacketServerOptions extends SeqpacketOptions {
  /** Take charge of the file of the address, too: close() removes it. Default false, it stays its maker's. */
  holdName?: boolean;
}

/** Events: 'connection' (UnixSeqpacket), 'listening', 'error', 'close'. The options are those of every connection. */
export class UnixSeqpacketServer extends EventEmitter<SeqpacketServerEvents> {
  readonly #options: SeqpacketOptions;
  #listener: { fd: Fd; readiness: Readiness; name: BoundName } | undefined;
  #closing: Promise<void> | undefined;
  #ref = true;
  #pause: NodeJS.Timeout | undefined;

  constructor(options: SeqpacketOptions = {}) {
    super();
    validateSocketOptions(options);
    this.#options = options;
  }

  /**
   * A server on a listener that somebody else made. Consumes `fd` unless it throws.
   * @throws ERR_FDPASS_WRONG_KIND unless it is a listening AF_UNIX seqpacket socket
   */
  static adopt(fd: Fd, options: AdoptSeqpacketServerOptions = {}): UnixSeqpacketServer {
    requireUnixSocket(fd, 'seqpacket', true);
    const server = new UnixSeqpacketServer(options);
    const own = Fd.dup(fd);
    const address = UnixAddress.fromSunPath(binding.localUnixAddress(own.fd));
    server.#start(own, options.holdName ? holdName(address) : { unlink() {} });
    fd.close();
    return server;
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
   * @throws SystemError EADDRINUSE, EACCES, ENOENT; ERR_FDPASS_CLOSED; ERR_FDPASS_LISTENING
   */
  listen(address: AddressLike, options: ListenOptions = {}): this {
    if (this.#closing !== undefined) throw closedError('UnixSeqpacketServer');
    if (this.#listener !== undefined)
      throw new FdpassError('ERR_FDPASS_LISTENING', 'this server listens already');
    const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 0, 2 ** 31 - 1);
    const fd = Fd.own(binding.openSocket(SOCK_SEQPACKET));
    try {
      const socket = { fd: fd.fd, type: SOCK_SEQPACKET, backlog };
      const name = bindUnix(socket, UnixAddress.from(address), options);
      this.#start(fd, name);
    } catch (error) {
      fd.close();
      throw error;
    }
    return this;
  }

  /** @throws ERR_FDPASS_CLOSED when it does not listen */
  address(): UnixAddress {
    if (this.#listener === undefined) throw closedError('UnixSeqpacketServer');
    return UnixAddress.fromSunPath(binding.localUnixAddress(this.#listener.fd.fd));
  }

  ref(): this {
    return this.#setRef(true);
  }

  unref(): this {
    return this.#setRef(false);
  }

  /**
   * Stops accepting. Connections live on. Idempotent.
   * @param options.unlink false leaves the file to whoever listens on the socket now. Default true.
   */
  close(options: { unlink?: boolean } = {}): Promise<void> {
    this.#closing ??= this.#close(options.unlink !== false);
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(unlink: boolean): Promise<void> {
    clearTimeout(this.#pause);
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.readiness.close();
    if (unlink) listener?.name.unlink();
    listener?.fd.close();
    await new Promise<void>((resolve) => process.nextTick(resolve));
    this.emit('close');
  }

  #start(fd: Fd, name: BoundName): void {
    passRights(fd.fd, (this.#options.maxFds ?? 0) > 0); // inherited by connections
    const readiness = new Readiness(fd.fd, () => this.#accept());
    this.#listener = { fd, readiness, name };
    readiness.setRef(this.#ref);
    readiness.want(READABLE);
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

  #accept(): void {
    for (let i = 0; i < ACCEPT_BATCH && this.#listener !== undefined; i++) {
      const accepted = binding.accept(this.#listener.fd.fd);
      if (accepted === -EAGAIN) return;
      if (accepted === -ECONNABORTED) continue;
      if (accepted < 0) {
        this.#pauseAccepting(systemError(accepted, 'accept'));
        return;
      }
      // The watcher needs a descriptor more: without one this throws, and the connection is closed. Only
      // this one: those behind it stay in the kernel's queue.
      let socket: UnixSeqpacket;
      try {
        socket = new UnixSeqpacket(this.#options, Fd.own(accepted));
      } catch (error) {
        this.#pauseAccepting(error as Error);
        return;
      }
      this.emit('connection', socket);
    }
  }

  // EMFILE, ENFILE, ENOMEM: the listener stays readable, so watching it would spin. Said once.
  #pauseAccepting(error: Error): void {
    this.#listener?.readiness.drop(READABLE);
    this.#tryAgainLater();
    this.emit('error', error);
  }

  #tryAgainLater(): void {
    this.#pause = setTimeout(() => {
      if (this.#listener === undefined) return;
      if (hasRoomForConnection(this.#listener.fd)) this.#listener.readiness.want(READABLE);
      else this.#tryAgainLater();
    }, EMFILE_PAUSE_MS);
    if (!this.#ref) this.#pause.unref();
  }
}

// A connection is a descriptor and its watcher's duplicate. Accepting with room for one would lose it.
function hasRoomForConnection(any: Fd): boolean {
  try {
    using _first = Fd.dup(any);
    using _second = Fd.dup(any);
    return true;
  } catch {
    return false; // the error was told when accepting stopped
  }
}
