import { MAX_BATCH } from '../base/limits';
import { NO_OPTIONS, validateOptions } from '../base/options';
import { toBytes } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { SOCK_DGRAM } from '../fd/describe';
import { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { BIND_OPTIONS, type BindOptions, type BoundName, bindUnix } from '../names/bind-path';
import { binding } from '../native/binding';
import { consume } from './consume';
import { destination } from './destination';
import { type Attachments, type SendOptions, SOCKET_OPTIONS, type SocketOptions } from './message';
import { MessageSocket, openBoth } from './message-socket';
import { PACKED_BYTES, sendPacked } from './packed';

/**
 * Whole messages between processes of one machine, in order and never lost: a full receiver makes the
 * sender wait. Events: 'message' (Message), 'listening', 'connect', 'drain', 'error', 'close'.
 */
export class UnixDatagram extends MessageSocket<never> {
  declare protected readonly endValue: never;
  #name: BoundName | undefined;

  /** @param fd internal, for adopt() */
  constructor(options: SocketOptions = NO_OPTIONS, fd?: Fd) {
    super(options, { type: SOCK_DGRAM, endOfStream: false, options: SOCKET_OPTIONS }, fd);
  }

  /** Two sockets connected to each other, both unnamed. socketpair(2) */
  static pair(options: SocketOptions = NO_OPTIONS): [UnixDatagram, UnixDatagram] {
    return openBoth(binding.openPair(SOCK_DGRAM).map(Fd.own), (fd) => new UnixDatagram(options, fd));
  }

  /**
   * Consumes `fd` unless it throws. The socket becomes non-blocking for everyone who holds it.
   * @throws ERR_FDPASS_WRONG_KIND unless it is an AF_UNIX datagram socket
   */
  static adopt(fd: Fd, options: SocketOptions = NO_OPTIONS): UnixDatagram {
    requireUnixSocket(fd, 'dgram', false);
    return consume(fd, (own) => new UnixDatagram(options, own));
  }

  /**
   * Gives the socket its name, now; 'listening' follows. Without an address the kernel picks an abstract one.
   * @throws SystemError EADDRINUSE, EACCES, ENOENT (no such directory), EINVAL (bound already)
   */
  bind(address: AddressLike = UnixAddress.unnamed, options: BindOptions = NO_OPTIONS): this {
    validateOptions('options', options, BIND_OPTIONS);
    this.#name = bindUnix({ fd: this.openFd(), type: SOCK_DGRAM }, UnixAddress.from(address), options);
    process.nextTick(() => this.emit('listening'));
    return this;
  }

  /**
   * Sets where messages go that name no destination, and refuses messages of anybody else. May be called again.
   * @throws SystemError ENOENT, ECONNREFUSED (nobody has this address), EACCES, EPERM (it is connected to another)
   */
  connect(address: AddressLike): this {
    this.connectTo(address);
    return this;
  }

  /**
   * Sends one message whole, at once if there is room, else as soon as there is; `data` must not change until then.
   * @param to optional on a connected socket; overrides the peer for this message
   * @returns resolves when the kernel has the message; after that it arrives unless the receiver closes
   * @throws SystemError ECONNREFUSED, ENOENT, EMSGSIZE (see setSendBufferSize), ENOTCONN, EPERM (the peer
   * refuses descriptors), ETOOMANYREFS; ERR_FDPASS_CLOSED, ERR_FDPASS_QUEUE_FULL, ERR_FDPASS_TIMEOUT, AbortError
   */
  send(data: string | Uint8Array, to?: AddressLike, options: SendOptions = NO_OPTIONS): Promise<void> {
    return this.sendTo(data, to, options);
  }

  /**
   * Now or not at all.
   * @returns false when the receiver is full, or send() waits for it already; 'drain' says when to try again
   * @throws as send() rejects
   */
  trySend(data: string | Uint8Array, to?: AddressLike, options: Attachments = NO_OPTIONS): boolean {
    return this.trySendTo(data, to, options);
  }

  /**
   * Sends messages to one destination in order, up to 32 that have 64 KiB together to a system call. sendmmsg(2)
   * @throws as send(), at the first message that fails; those before it are sent
   */
  async sendMany(messages: Iterable<string | Uint8Array>, to?: AddressLike): Promise<void> {
    const address = destination(to);
    let batch: Uint8Array[] = [];
    let bytes = 0;
    for (const message of messages) {
      const data = toBytes('message', message);
      if (batch.length === MAX_BATCH || bytes + data.length > PACKED_BYTES) {
        await this.#sendBatch(batch, address);
        batch = [];
        bytes = 0;
      }
      batch.push(data);
      bytes += data.length;
    }
    await this.#sendBatch(batch, address);
  }

  protected override beforeClose(): void {
    this.#name?.unlink();
  }

  // What does not go at once goes one by one through the queue, which keeps the order and waits: a large one, too.
  async #sendBatch(batch: Uint8Array[], to: UnixAddress | undefined): Promise<void> {
    // The first message's error comes again, with its address, from the single send below.
    const sent = batch.length > 1 && this.queuedMessages === 0 ? sendPacked(this.openFd(), batch, to) : 0;
    for (let index = Math.max(0, sent); index < batch.length; index++)
      await this.sendTo(batch[index] as Uint8Array, to, NO_OPTIONS);
  }
}
