import { type KnownNames, NO_OPTIONS } from '../base/options';
import type { AddressLike } from '../fd/address';
import { SOCK_SEQPACKET } from '../fd/describe';
import { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { binding } from '../native/binding';
import { SHUT } from './constants';
import { consume } from './consume';
import { type Attachments, type SendOptions, SOCKET_OPTIONS, type SocketOptions } from './message';
import { MessageSocket, openBoth } from './message-socket';

export interface SeqpacketOptions extends SocketOptions {
  /** Stay open for sending after the peer has ended. Default false: the socket closes by itself after 'end'. */
  allowHalfOpen?: boolean;
}

export const SEQPACKET_OPTIONS: KnownNames<SeqpacketOptions> = { ...SOCKET_OPTIONS, allowHalfOpen: true };

/** Events: 'message' (Message), 'connect', 'end', 'drain', 'error', 'close'. receive() gives null at the end. */
export class UnixSeqpacket extends MessageSocket<null> {
  protected override readonly endValue = null;
  readonly #allowHalfOpen: boolean;

  /** @param fd internal, for adopt() and the server */
  constructor(options: SeqpacketOptions = NO_OPTIONS, fd?: Fd) {
    super(options, { type: SOCK_SEQPACKET, endOfStream: true, options: SEQPACKET_OPTIONS }, fd);
    this.#allowHalfOpen = options.allowHalfOpen === true;
  }

  /** Two sockets connected to each other. socketpair(2) */
  static pair(options: SeqpacketOptions = NO_OPTIONS): [UnixSeqpacket, UnixSeqpacket] {
    return openBoth(binding.openPair(SOCK_SEQPACKET).map(Fd.own), (fd) => new UnixSeqpacket(options, fd));
  }

  /**
   * Consumes `fd` unless it throws. The socket becomes non-blocking for everyone who holds it.
   * @throws ERR_FDPASS_WRONG_KIND unless it is an AF_UNIX seqpacket socket that does not listen
   */
  static adopt(fd: Fd, options: SeqpacketOptions = NO_OPTIONS): UnixSeqpacket {
    requireUnixSocket(fd, 'seqpacket', false);
    return consume(fd, (own) => new UnixSeqpacket(options, own));
  }

  /**
   * Connects now or throws: a local connect has nothing to wait for.
   * @throws SystemError ENOENT, ECONNREFUSED (nobody listens), EAGAIN (the backlog is full), EACCES,
   * EPROTOTYPE (another type of socket), EISCONN
   */
  connect(address: AddressLike): this {
    this.connectTo(address);
    return this;
  }

  /**
   * Sends one packet whole, at once if there is room, else as soon as there is; `data` must not change until then.
   * @throws SystemError EPIPE (the peer is gone), ENOTCONN, EMSGSIZE, EPERM (the peer refuses descriptors),
   * ETOOMANYREFS; ERR_FDPASS_CLOSED, ERR_FDPASS_QUEUE_FULL, ERR_FDPASS_TIMEOUT, AbortError
   */
  send(data: string | Uint8Array, options: SendOptions = NO_OPTIONS): Promise<void> {
    return this.sendTo(data, undefined, options);
  }

  /**
   * Now or not at all.
   * @returns false when the peer is full, or send() waits already; 'drain' says when to try again
   * @throws as send() rejects
   */
  trySend(data: string | Uint8Array, options: Attachments = NO_OPTIONS): boolean {
    return this.trySendTo(data, undefined, options);
  }

  /**
   * Tells the peer that nothing more will come, behind what waits to be sent. What it still sends can be
   * received; a later send() fails with EPIPE. shutdown(2)
   */
  end(): this {
    const fd = this.openFd();
    this.whenSent(() => binding.shutdown(fd, SHUT.write));
    return this;
  }

  /** Takes nothing more: the peer's sends fail with EPIPE, and what it sent already is followed by the end. */
  closeRead(): this {
    binding.shutdown(this.openFd(), SHUT.read);
    return this;
  }

  protected override onEnd(): void {
    this.emit('end');
    if (!this.#allowHalfOpen) void this.close();
  }
}
