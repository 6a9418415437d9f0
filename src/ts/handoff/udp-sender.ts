// UdpSender: sends from a UDP socket that another process reads.
import dgram from 'node:dgram';
import dns from 'node:dns';
import { isIP } from 'node:net';
import { Fd } from '../fd/fd';
import { bindDuplicate } from '../fd/udp';

/** Sends from a socket that others read, without reading from it. */
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
    withDuplicate(this.#fd, this.#type, (socket) => Reflect.apply(socket.send, socket, args));
  }
}

/**
 * A dgram.Socket of Node reads as soon as it is bound, and cannot be told not to. But the loop asks the kernel only once
 * the current turn is over: one that is bound, used and closed within a turn has read nothing.
 * @param fd lent
 * @throws ERR_FDPASS_UNSUPPORTED_RUNTIME
 */
export function withDuplicate(fd: Fd, type: dgram.SocketType, use: (socket: dgram.Socket) => void): void {
  const socket = dgram.createSocket({ type, lookup: resolved });
  try {
    bindDuplicate(socket, fd);
    use(socket);
  } finally {
    socket.close();
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
