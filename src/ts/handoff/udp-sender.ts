// UdpSender: sends from a UDP socket that another process reads.
import dgram from 'node:dgram';
import dns from 'node:dns';
import { isIP } from 'node:net';
import { Fd } from '../fd/fd';

/** Binds a socket of Node to a duplicate of `fd`, which is lent. */
export function bindDuplicate(socket: dgram.Socket, fd: Fd): void {
  const duplicate = Fd.dup(fd);
  try {
    // exclusive: else a cluster worker would look for the number in the primary.
    socket.bind({ fd: duplicate.fd, exclusive: true });
    duplicate.detach(); // Node's own from here
  } catch (error) {
    duplicate.close();
    throw error;
  }
}

/**
 * A dgram.Socket of Node reads as soon as it is bound, and cannot be told not to. But the loop asks the kernel only once
 * the current turn is over: one that is bound, sends and is closed within a turn has read nothing.
 */
export class UdpSender {
  readonly #type: dgram.SocketType;
  readonly #fd: Fd;

  /** @param fd lent; the sender has a duplicate until close(). It does not keep the process alive. */
  constructor(type: dgram.SocketType, fd: Fd) {
    this.#type = type;
    this.#fd = Fd.dup(fd);
  }

  get closed(): boolean {
    return this.#fd.fd === -1;
  }

  /**
   * As dgram.Socket.send(), but what does not fit into the send buffer is not queued: its callback is told ECANCELED.
   * @param args of dgram.Socket.send()
   * @param onError for what Node emits as 'error': a name that cannot be resolved, and no callback to tell
   */
  send(args: unknown[], onError: (error: Error) => void): void {
    const at = addressIndex(args);
    const host = args[at];
    if (typeof host !== 'string' || isIP(host) !== 0) {
      this.#sendNow(args);
      return;
    }
    const fail = (error: Error) => (callbackOf(args) ?? onError)(error);
    dns.lookup(host, this.#type === 'udp6' ? 6 : 4, (error, address) => {
      if (error !== null) fail(error);
      else if (!this.closed) this.#sendNow(args.with(at, address));
    });
  }

  /** Idempotent. */
  close(): void {
    this.#fd.close();
  }

  #sendNow(args: unknown[]): void {
    const socket = dgram.createSocket({ type: this.#type, lookup: resolved });
    try {
      bindDuplicate(socket, this.#fd);
      Reflect.apply(socket.send, socket, args);
    } finally {
      socket.close();
    }
  }
}

/** In place of dns.lookup(), which answers a numeric address too late: in a tick of its own. */
const resolved = ((address: string, family: number, callback: (...result: unknown[]) => void) => {
  callback(null, address, family);
}) as unknown as typeof dns.lookup;

/** (data, port, address) or (data, offset, length, port, address), told apart as Node does. */
function addressIndex(args: unknown[]): number {
  const long = args[4] || (args[3] && typeof args[3] !== 'function');
  return long ? 4 : 2;
}

function callbackOf(args: unknown[]): ((error: Error) => void) | undefined {
  return args.find((one): one is (error: Error) => void => typeof one === 'function');
}
