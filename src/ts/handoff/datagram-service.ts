// Services without connections: UDP and AF_UNIX datagram sockets, and descriptors that are merely kept.
import dgram from 'node:dgram';
import { once } from 'node:events';
import { Fd } from '../fd/fd';
import { bindDuplicate } from '../fd/udp';
import { UnixDatagram } from '../sockets/datagram';
import type { SocketOptions } from '../sockets/message';
import type { DrainCount } from './connections';
import type { Service } from './service';
import { UdpSender, withDuplicate } from './udp-sender';

/**
 * Both processes read until the takeover is final: each datagram goes to one of them, and to nobody twice. From there the
 * old one sends only. Nobody knows which answer is the last, so it can until it ends, and that does not hold it up.
 */
abstract class UnpausedService implements Service {
  readonly open = 0;
  readonly accepted = 0;

  abstract readonly user: object;
  abstract start(fd: Fd): Promise<void>;
  /** Reads no more. */
  abstract stop(fd: Fd): void;
  /** Sends no more. */
  abstract release(): void;

  pause(): void {}

  resume(): void {}

  async drain(): Promise<DrainCount> {
    return { closed: 0, forced: 0 };
  }
}

/** A dgram.Socket, which Node reads from as soon as it is bound: so that comes with ready(). */
export class UdpService extends UnpausedService {
  readonly user: dgram.Socket;
  readonly #type: dgram.SocketType;
  #started = false;
  #closed = false;
  #sender: UdpSender | undefined;

  /**
   * On `fd`, which is lent.
   * @throws ERR_FDPASS_UNSUPPORTED_RUNTIME now and not at ready()
   */
  static on(fd: Fd, type: dgram.SocketType): UdpService {
    withDuplicate(fd, type, () => {});
    return new UdpService(type);
  }

  private constructor(type: dgram.SocketType) {
    super();
    this.#type = type;
    this.user = dgram.createSocket(type);
    this.user.once('close', () => {
      this.#closed = true;
    });
    this.#sendOnBehindStop();
  }

  async start(fd: Fd): Promise<void> {
    const abandon = new AbortController();
    const listening = once(this.user, 'listening', { signal: abandon.signal });
    try {
      bindDuplicate(this.user, fd);
    } catch (error) {
      listening.catch(() => {}); // the abort, which nobody else is told of
      abandon.abort();
      throw error;
    }
    await listening;
    this.#started = true;
  }

  stop(fd: Fd): void {
    if (this.#closed) return;
    const { user } = this;
    const address = this.#started ? user.address() : undefined;
    user.close();
    if (address === undefined) return;
    this.#sender = new UdpSender(this.#type, fd); // behind close(), which has made room for it
    user.address = () => address;
    user.close = (callback) => {
      this.release();
      if (callback !== undefined) process.nextTick(callback);
      return user;
    };
  }

  release(): void {
    this.#sender?.close();
  }

  // From the start: the program may keep the method itself.
  #sendOnBehindStop(): void {
    const { user } = this;
    const { send } = user;
    user.send = (...args: unknown[]): void => {
      const sender = this.#sender;
      if (sender === undefined || sender.closed) Reflect.apply(send, user, args);
      else sender.send(args, (error) => user.emit('error', error));
    };
  }
}

/** A UnixDatagram reads while somebody wants its messages. */
export class UnixDatagramService extends UnpausedService {
  readonly user: UnixDatagram;

  private constructor(user: UnixDatagram) {
    super();
    this.user = user;
  }

  /** On a duplicate of `fd`, which is lent. */
  static adopt(fd: Fd, options: SocketOptions): UnixDatagramService {
    const duplicate = Fd.dup(fd);
    try {
      return new UnixDatagramService(UnixDatagram.adopt(duplicate, options));
    } catch (error) {
      duplicate.close();
      throw error;
    }
  }

  async start(): Promise<void> {}

  stop(): void {
    this.user.stopReading();
  }

  release(): void {
    void this.user.close();
  }
}

/** A descriptor that the program has put here, to be handed over and nothing else. */
export class KeptService extends UnpausedService {
  readonly user = this;

  async start(): Promise<void> {}

  stop(): void {}

  release(): void {}
}
