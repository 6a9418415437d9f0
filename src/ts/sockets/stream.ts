// UnixStream: a connected AF_UNIX stream as a Duplex, with the habits of net.Socket, that also carries descriptors.
import { Duplex } from 'node:stream';
import { onCancel, validateWaitOptions } from '../base/abort';
import { closedError, outOfRange } from '../base/errors';
import { MAX_TIMEOUT_MS } from '../base/limits';
import { NO_OPTIONS, validateOptions } from '../base/options';
import { toBytes, validateInteger, validateTimeout } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { SOCK_STREAM } from '../fd/describe';
import { Fd } from '../fd/fd';
import { requireFd, requireUnixSocket } from '../fd/kind';
import { type BoundName, bindUnix } from '../names/bind-path';
import { binding } from '../native/binding';
import { lendAttachment } from './attachment';
import { Connecting } from './connecting';
import { SHUT, SO, SOL_SOCKET } from './constants';
import { consume } from './consume';
import { SEND_OPTIONS, type SendOptions } from './message';
import { Parcel } from './parcel';
import { setPassing } from './passing';
import { type Credentials, peerCredentials, peerGroups, peerPidFd } from './peer';
import { READABLE, Readiness, WRITABLE } from './readiness';
import { OnReadLanding, OwnLanding } from './stream-landing';
import {
  STREAM_CONNECT_OPTIONS,
  STREAM_OPTIONS,
  type StreamConnectOptions,
  type StreamOptions,
  validateStreamOptions,
} from './stream-options';
import { StreamReader } from './stream-reader';
import { StreamWriter } from './stream-writer';

/** What came beside the descriptors of an 'fds' event. */
export interface FdsInfo {
  /** More came than `maxFds` allows, or than the process may open; the rest was closed. */
  dropped: boolean;
}

/** The types of the events that Duplex does not know. */
export interface UnixStream {
  addListener(event: 'fds', listener: (fds: Fd[], info: FdsInfo) => void): this;
  addListener(event: 'credentials', listener: (credentials: Credentials) => void): this;
  // biome-ignore lint/suspicious/noExplicitAny: as in @types/node
  addListener(event: string | symbol, listener: (...args: any[]) => void): this;
  on(event: 'fds', listener: (fds: Fd[], info: FdsInfo) => void): this;
  on(event: 'credentials', listener: (credentials: Credentials) => void): this;
  // biome-ignore lint/suspicious/noExplicitAny: as in @types/node
  on(event: string | symbol, listener: (...args: any[]) => void): this;
  once(event: 'fds', listener: (fds: Fd[], info: FdsInfo) => void): this;
  once(event: 'credentials', listener: (credentials: Credentials) => void): this;
  // biome-ignore lint/suspicious/noExplicitAny: as in @types/node
  once(event: string | symbol, listener: (...args: any[]) => void): this;
}

/**
 * Events: those of stream.Duplex, 'connect', 'ready', 'timeout', and two that come right before the 'data' they belong
 * to, when all that was received earlier has been consumed: 'fds' (Fd[], { dropped }), which are the listener's and
 * closed if there is none, and 'credentials' (Credentials), when another process writes than before. While nobody reads
 * they wait. (Bytes sent before may be at the beginning of that data: the kernel joins them, unless they have fds, too.)
 *
 * Errors as net.Socket has them: 'error', then 'close'. SystemError ECONNRESET (the peer closed with bytes of ours
 * unread), EPIPE (it takes no more).
 */
// biome-ignore lint/suspicious/noUnsafeDeclarationMerging: the interface only types events
export class UnixStream extends Duplex {
  readonly #fd: Fd;
  readonly #readiness: Readiness;
  readonly #reader: StreamReader;
  readonly #writer: StreamWriter;
  #connecting: Connecting | undefined;
  #isConnecting: boolean;
  /** end() came before the connection. */
  #endWhenConnected: (() => void) | undefined;
  #name: BoundName | undefined;
  #stopSignal = (): void => {};
  #idle: NodeJS.Timeout | undefined;
  #bytesRead = 0;
  #bytesWritten = 0;
  /** Milliseconds of setTimeout(); undefined before it was called. */
  timeout: number | undefined;

  /** Owns `fd` once it has returned; while it throws, the caller does. Plain JavaScript can call it. */
  private constructor(fd: Fd, options: StreamOptions, connected: boolean) {
    requireFd(fd, 'make a UnixStream with UnixStream.connect(), UnixStream.pair() or UnixStream.adopt()');
    const passing = validateStreamOptions(options);
    const { allowHalfOpen = false, highWaterMark, onread, sendBufferSize, signal } = options;
    super({ allowHalfOpen, ...(highWaterMark === undefined ? {} : { highWaterMark }) });
    const landing = onread === undefined ? new OwnLanding(this) : new OnReadLanding(this, onread);
    this.#fd = fd;
    fd.heldBy('UnixStream', 'destroy()');
    this.#isConnecting = !connected;
    const limits = setPassing(fd.fd, passing);
    // A byte sent with MSG_OOB is read in its place. Out of line it would make the socket readable and every
    // read fail with EAGAIN: a peer could keep the loop spinning.
    binding.setOption(fd.fd, SOL_SOCKET, SO.OOBINLINE, 1);
    if (sendBufferSize !== undefined) binding.setSendBufferSize(fd.fd, sendBufferSize);
    this.#readiness = new Readiness(fd.fd, (events) => this.#onReady(events));
    this.#reader = new StreamReader(
      this,
      {
        fd: fd.fd,
        limits,
        wantReadable: (want) => (want ? this.#readiness.want(READABLE) : this.#readiness.drop(READABLE)),
        onReceived: (bytes) => {
          this.#bytesRead += bytes;
          this.#idle?.refresh();
        },
      },
      landing,
      connected,
    );
    this.#writer = new StreamWriter(
      {
        fd: fd.fd,
        wantWritable: (want) => (want ? this.#readiness.want(WRITABLE) : this.#readiness.drop(WRITABLE)),
        nextTurn: (callback) => this.#readiness.nextTurn(callback),
        receive: () => this.#reader.receive(),
        onSent: (bytes) => {
          this.#bytesWritten += bytes;
          this.#idle?.refresh();
        },
      },
      connected,
    );
    if (signal !== undefined) this.#watchSignal(signal);
  }

  /**
   * Connects, and waits while the server's backlog is full. 'connect' and 'ready' follow, or 'error' and 'close':
   * SystemError ENOENT, ECONNREFUSED (nobody listens), EACCES, EPROTOTYPE (another type of socket), ERR_FDPASS_TIMEOUT.
   * What is written before is sent then.
   * @throws TypeError, RangeError for wrong arguments; SystemError EMFILE
   */
  static connect(address: AddressLike, options: StreamConnectOptions = NO_OPTIONS): UnixStream {
    const to = UnixAddress.from(address);
    validateOptions('options', options, STREAM_CONNECT_OPTIONS);
    const { timeout, localAddress } = options;
    if (timeout !== undefined) validateTimeout('options.timeout', timeout);
    const from = localAddress === undefined ? undefined : UnixAddress.from(localAddress);
    const fd = Fd.own(binding.openSocket(SOCK_STREAM));
    let stream: UnixStream;
    try {
      stream = new UnixStream(fd, options, false);
    } catch (error) {
      fd.close();
      throw error;
    }
    stream.#connect(to, from, timeout);
    return stream;
  }

  /** Two streams connected to each other. socketpair(2) */
  static pair(options: StreamOptions = NO_OPTIONS): [UnixStream, UnixStream] {
    validateOptions('options', options, STREAM_OPTIONS);
    const [first, second] = binding.openPair(SOCK_STREAM).map(Fd.own) as [Fd, Fd];
    let opened: UnixStream | undefined;
    try {
      opened = UnixStream.own(first, options);
      return [opened, UnixStream.own(second, options)];
    } catch (error) {
      if (opened === undefined) first.close();
      else opened.destroy();
      second.close();
      throw error;
    }
  }

  /**
   * Consumes `fd` unless it throws.
   * @throws ERR_FDPASS_WRONG_KIND unless it is an AF_UNIX stream socket that does not listen
   */
  static adopt(fd: Fd, options: StreamOptions = NO_OPTIONS): UnixStream {
    validateOptions('options', options, STREAM_OPTIONS);
    requireUnixSocket(fd, 'stream', false);
    return consume(fd, (own) => UnixStream.own(own, options));
  }

  /** @internal A connected socket. Owns `fd` once it has returned. */
  static own(fd: Fd, options: StreamOptions): UnixStream {
    const stream = new UnixStream(fd, options, true);
    stream.#reader.start();
    return stream;
  }

  /** The number, borrowed, so that the stream can be lent; -1 once destroyed. */
  get fd(): number {
    return this.#fd.fd;
  }

  get connecting(): boolean {
    return this.#isConnecting;
  }

  get bytesRead(): number {
    return this.#bytesRead;
  }

  /** Bytes that the kernel has taken. */
  get bytesWritten(): number {
    return this.#bytesWritten;
  }

  address(): UnixAddress {
    return UnixAddress.fromSunPath(binding.localUnixAddress(this.#open()));
  }

  /**
   * The name of the other end; unnamed for most clients. (`remoteAddress` is a string in net.Socket, undefined for
   * AF_UNIX, and so it is here.)
   * @throws SystemError ENOTCONN
   */
  peerAddress(): UnixAddress {
    return UnixAddress.fromSunPath(binding.remoteUnixAddress(this.#open()));
  }

  /**
   * Who called connect(), listen() or socketpair() at the other end, fixed at that moment. SO_PEERCRED, socket(7)
   * @throws SystemError ENOTCONN
   */
  get peerCredentials(): Credentials {
    return peerCredentials(this.#open());
  }

  /**
   * The supplementary groups of that process. SO_PEERGROUPS, socket(7)
   * @throws SystemError ENODATA if not connected
   */
  peerGroups(): number[] {
    return peerGroups(this.#open());
  }

  /**
   * A pidfd of that process, which the caller owns: it cannot be mistaken for a later process of that number.
   * @throws SystemError ENOPROTOOPT before Linux 6.5, ENODATA if not connected
   */
  peerPidFd(): Fd {
    return peerPidFd(this.#open());
  }

  /**
   * write() for what has descriptors, credentials or a deadline, in order with other writes. Descriptors are lent, and
   * go once, with the first byte; `data` must not change until it went.
   *
   * If the deadline or the signal comes before the first byte went, nothing of it will be sent; after that and before
   * the last byte, the stream is destroyed, as a part of it is with the peer.
   * @returns resolves when the kernel has all of it
   * @throws RangeError for descriptors without a byte (a stream drops them); SystemError EPERM (the peer refuses
   * descriptors), ETOOMANYREFS, which leave the stream usable; EPIPE, ECONNRESET; ERR_FDPASS_TIMEOUT, AbortError
   */
  async send(data: string | Uint8Array, options: SendOptions = NO_OPTIONS): Promise<void> {
    validateWaitOptions(options, SEND_OPTIONS);
    this.#open();
    const bytes = toBytes('data', data);
    const lent = lendAttachment(options);
    if (bytes.length === 0 && (lent.fds !== undefined || lent.credentials !== undefined)) {
      throw outOfRange(
        'data',
        'at least one byte long: a stream drops descriptors and credentials without one',
        data,
      );
    }
    // A view of our own: the writer knows it by its identity.
    const chunk = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
    const parcel = new Parcel(lent);
    this.#writer.attach(chunk, parcel);
    await new Promise<void>((resolve, reject) => {
      const cancel = (error: Error): void => {
        if (parcel.state === 'sent') return; // the write is about to say so
        reject(error);
        if (parcel.state === 'begun') this.destroy(error);
        else this.#writer.drop(parcel, error);
      };
      const stop = onCancel(options, 'send()', cancel);
      this.write(chunk, (error) => {
        stop();
        if (error) parcel.drop(error);
        const failure = parcel.failure ?? error;
        if (failure) reject(failure);
        else resolve();
      });
      try {
        parcel.keep();
      } catch (error) {
        cancel(error as Error);
      }
    });
  }

  /** Takes nothing more: the peer's writes fail with EPIPE, and what it sent already is followed by 'end'. */
  closeRead(): this {
    binding.shutdown(this.#open(), SHUT.read);
    return this;
  }

  /** 'timeout' after so many milliseconds without a byte in or out; the stream stays open. 0: never. */
  setTimeout(ms: number, callback?: () => void): this {
    this.timeout = validateInteger('ms', ms, 0, MAX_TIMEOUT_MS);
    clearTimeout(this.#idle);
    if (ms > 0 && !this.destroyed) this.#idle = setTimeout(() => this.emit('timeout'), ms).unref();
    if (callback !== undefined) ms > 0 ? this.once('timeout', callback) : this.off('timeout', callback);
    return this;
  }

  /** Destroys the stream when all that was written has gone; http.Server ends connections so. */
  destroySoon(): void {
    this.end();
    if (this.writableFinished) this.destroy();
    else this.once('finish', () => this.destroy());
  }

  /** For callers that take it for a TCP socket: nothing to do. */
  setNoDelay(_noDelay?: boolean): this {
    return this;
  }

  /** For callers that take it for a TCP socket, such as http.Agent: nothing to do. */
  setKeepAlive(_enable?: boolean, _initialDelay?: number): this {
    return this;
  }

  ref(): this {
    this.#connecting?.ref();
    if (!this.destroyed) this.#readiness.setRef(true);
    return this;
  }

  unref(): this {
    this.#connecting?.unref();
    if (!this.destroyed) this.#readiness.setRef(false);
    return this;
  }

  // biome-ignore lint/suspicious/noExplicitAny: as in @types/node
  override on(event: string | symbol, listener: (...args: any[]) => void): this {
    super.on(event, listener);
    // The stream itself sees no need to read: it waits for bytes already that the reader holds.
    if (event === 'readable') this.#reader.showSoon();
    return this;
  }

  // biome-ignore lint/suspicious/noExplicitAny: as in @types/node
  override addListener(event: string | symbol, listener: (...args: any[]) => void): this {
    return this.on(event, listener);
  }

  /** Every consumer comes through here. */
  // biome-ignore lint/suspicious/noExplicitAny: as in @types/node
  override read(size?: number): any {
    const data = super.read(size);
    this.#reader.onRead(data, size);
    return data;
  }

  override pause(): this {
    this.#reader.pause();
    return super.pause();
  }

  override resume(): this {
    this.#reader.resume();
    return super.resume();
  }

  override _read(): void {
    this.#reader.want();
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error) => void): void {
    this.#writer.write([chunk], done);
  }

  override _writev(chunks: { chunk: Buffer }[], done: (error?: Error) => void): void {
    this.#writer.write(
      chunks.map(({ chunk }) => chunk),
      done,
    );
  }

  override _final(done: (error?: Error) => void): void {
    if (this.#isConnecting) {
      this.#endWhenConnected = () => this._final(done);
      return;
    }
    binding.shutdown(this.#open(), SHUT.write); // AF_UNIX: no error, whatever the peer has done
    done();
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#stopSignal();
    this.#connecting?.cancel();
    clearTimeout(this.#idle);
    this.#readiness.close();
    this.#name?.unlink();
    this.#fd.close();
    this.#reader.close();
    this.#writer.close(() => error ?? closedError('UnixStream'));
    done(error);
  }

  #open(): number {
    if (this.#fd.fd === -1) throw closedError('UnixStream');
    return this.#fd.fd;
  }

  #watchSignal(signal: AbortSignal): void {
    try {
      this.#stopSignal = onCancel({ signal }, 'the stream', (error) => this.destroy(error));
    } catch (error) {
      this.destroy(error as Error); // aborted already
    }
  }

  #connect(to: UnixAddress, from: UnixAddress | undefined, timeout: number | undefined): void {
    if (this.destroyed) return;
    try {
      if (from !== undefined) this.#name = bindUnix({ fd: this.#fd.fd, type: SOCK_STREAM }, from, {});
      this.#connecting = new Connecting({ fd: this.#fd.fd, to, timeout }, (error) =>
        this.#onConnected(error),
      );
    } catch (error) {
      setImmediate(() => this.destroy(error as Error)); // when the caller has had time to listen
    }
  }

  #onConnected(error: Error | undefined): void {
    this.#connecting = undefined;
    if (error !== undefined) {
      this.destroy(error);
      return;
    }
    this.#isConnecting = false;
    this.#idle?.refresh();
    try {
      this.emit('connect');
      this.emit('ready');
    } finally {
      if (!this.destroyed) this.#start();
    }
  }

  #start(): void {
    this.#endWhenConnected?.();
    this.#writer.open();
    if (!this.destroyed) this.#reader.start();
  }

  #onReady(events: number): void {
    // What a peer said before it went is read before a write fails.
    if ((events & READABLE) !== 0) this.#reader.receive();
    if ((events & WRITABLE) !== 0 && !this.destroyed) this.#writer.flush();
  }
}
