// Services without connections: UDP and AF_UNIX datagram sockets, and descriptors that are merely kept.
import type dgram from 'node:dgram';
import { once } from 'node:events';
import { Fd } from '../fd/fd';
import { UnixDatagram } from '../sockets/datagram';
import type { SocketOptions } from '../sockets/message';
import type { DrainCount } from './connections';
import type { Service } from './service';

/** Both processes read until the takeover is final: each datagram goes to one of them, and to nobody twice. */
abstract class UnpausedService implements Service {
  readonly open = 0;
  readonly accepted = 0;

  abstract readonly user: object;
  abstract start(fd: Fd): Promise<void>;
  abstract stop(): void;

  pause(): void {}

  resume(): void {}

  async drain(): Promise<DrainCount> {
    return { closed: 0, forced: 0 };
  }
}

/** A dgram.Socket, which Node reads from as soon as it is bound: so that comes with ready(). */
export class UdpService extends UnpausedService {
  readonly user: dgram.Socket;
  #closed = false;

  constructor(socket: dgram.Socket) {
    super();
    this.user = socket;
    socket.once('close', () => {
      this.#closed = true;
    });
  }

  async start(fd: Fd): Promise<void> {
    const duplicate = Fd.dup(fd);
    const abandon = new AbortController();
    const listening = once(this.user, 'listening', { signal: abandon.signal });
    try {
      // exclusive: else a cluster worker would look for the number in the primary.
      this.user.bind({ fd: duplicate.fd, exclusive: true });
      duplicate.detach(); // Node's own from here
    } catch (error) {
      duplicate.close();
      listening.catch(() => {}); // the abort, which nobody else is told of
      abandon.abort();
      throw error;
    }
    await listening;
  }

  stop(): void {
    if (!this.#closed) this.user.close();
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
    void this.user.close();
  }
}

/** A descriptor that the program has put here, to be handed over and nothing else. */
export class KeptService extends UnpausedService {
  readonly user = this;

  async start(): Promise<void> {}

  stop(): void {}
}
