// connectUnix(): net.connect() for every AF_UNIX address, as a net.Socket.
import net from 'node:net';
import { onCancel } from '../base/abort';
import { invalidArgType } from '../base/errors';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { unsupportedRuntime } from '../base/runtime';
import { validateTimeout } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { SOCK_STREAM } from '../fd/describe';
import { Fd } from '../fd/fd';
import { handleOf } from '../fd/handle';
import { type BoundName, bindUnix } from '../names/bind-path';
import { binding } from '../native/binding';
import { Connecting } from './connecting';

export interface ConnectUnixOptions {
  /** Milliseconds to wait for room in a full backlog. 'error' with ERR_FDPASS_TIMEOUT. Default: no limit. */
  timeout?: number | undefined;
  /** Destroys the socket with an AbortError, as that of net.Socket does: also when it is connected. */
  signal?: AbortSignal | undefined;
  /** The name that the server sees. A file of that name is made, and removed when the socket closes. */
  localAddress?: AddressLike | undefined;
  /** As in net.connect(). Default false: the socket ends when its peer does. */
  allowHalfOpen?: boolean | undefined;
}

const OPTIONS: KnownNames<ConnectUnixOptions> = {
  timeout: true,
  signal: true,
  localAddress: true,
  allowHalfOpen: true,
};

/**
 * A stream connection to a path or to an '@name' of exactly that length (Node 20's own net pads abstract names to
 * 108 bytes), for all that takes a socket: `createConnection: () => connectUnix('@app')` of http.request(),
 * http.Agent and http2.connect(), `tls.connect({ socket: connectUnix('@app') })`. A full backlog is waited for.
 *
 * Emits 'connect' and 'ready'. Whatever fails comes as 'error' and 'close', never as an exception: SystemError with
 * syscall 'connect' (ENOENT, ECONNREFUSED, EACCES, EPROTOTYPE) or 'bind' (localAddress), ERR_FDPASS_TIMEOUT, AbortError;
 * in Bun ERR_FDPASS_UNSUPPORTED_RUNTIME.
 * @throws TypeError, RangeError for wrong arguments. unix(7), connect(2)
 */
export function connectUnix(address: AddressLike, options: ConnectUnixOptions = NO_OPTIONS): net.Socket {
  const to = UnixAddress.from(address);
  validateOptions('options', options, OPTIONS);
  const { timeout, signal, localAddress, allowHalfOpen = false } = options;
  if (timeout !== undefined) validateTimeout('options.timeout', timeout);
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgType('options.signal', 'an AbortSignal', signal);
  }
  const from = localAddress === undefined ? undefined : UnixAddress.from(localAddress);
  return open(allowHalfOpen).start({ to, from, timeout, signal });
}

interface Start {
  to: UnixAddress;
  from: UnixAddress | undefined;
  timeout: number | undefined;
  signal: AbortSignal | undefined;
}

function open(allowHalfOpen: boolean): UnixClient {
  let number: number;
  try {
    number = binding.openSocket(SOCK_STREAM);
  } catch (error) {
    return new UnixClient(allowHalfOpen, error as Error); // EMFILE
  }
  using fd = Fd.own(number);
  const client = new UnixClient(allowHalfOpen, fd.fd);
  // Left as it is: the descriptor is not its own.
  if (!handleOf(client)) return new UnixClient(allowHalfOpen, unsupportedRuntime('socket on a descriptor'));
  fd.detach(); // the handle of net.Socket closes it from here
  return client;
}

/**
 * The socket has its handle before it is connected, as one of net.connect() has. While `connecting` is set,
 * net.Socket holds back reads, writes and the end until 'connect' (net.js of Node 20 to 26: _read, _writeGeneric,
 * _final), and so do tls and http2; manualStart keeps the constructor from reading.
 */
class UnixClient extends net.Socket {
  declare connecting: boolean;
  readonly #source: number | Error;
  #attempt: Connecting | undefined;
  #name: BoundName | undefined;
  #stopSignal = (): void => {};

  /** @param source the descriptor, or why there is none */
  constructor(allowHalfOpen: boolean, source: number | Error) {
    const fd = typeof source === 'number' ? source : undefined;
    super({ fd, allowHalfOpen, manualStart: true } as net.SocketConstructorOpts);
    this.connecting = true;
    this.#source = source;
  }

  start({ to, from, timeout, signal }: Start): this {
    try {
      const fd = this.#source;
      if (typeof fd !== 'number') throw fd;
      // Throws at once if it has aborted already.
      this.#stopSignal = onCancel({ signal }, 'the connection', (error) => this.destroy(error));
      if (from !== undefined) this.#name = bindUnix({ fd, type: SOCK_STREAM }, from, {});
      this.#attempt = new Connecting({ fd, to, timeout }, (error) => this.#onSettled(error));
    } catch (error) {
      // In a later turn, for the same reason as what Connecting tells.
      setImmediate(() => this.destroy(error as Error));
    }
    return this;
  }

  override ref(): this {
    this.#attempt?.ref();
    return super.ref();
  }

  override unref(): this {
    this.#attempt?.unref();
    return super.unref();
  }

  /** Every end of a net.Socket comes through here, with the handle still open. */
  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    this.#attempt?.cancel();
    this.#stopSignal();
    this.#name?.unlink();
    super._destroy(error, callback);
  }

  // What afterConnect() of net.js does.
  #onSettled(error: Error | undefined): void {
    if (error !== undefined) {
      this.destroy(error);
      return;
    }
    this.connecting = false;
    this.emit('connect');
    this.emit('ready');
    if (!this.destroyed && !this.isPaused()) this.read(0);
  }
}
