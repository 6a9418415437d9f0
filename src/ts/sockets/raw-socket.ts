// RawSocket: one system call per method, for those who need the call itself.
import { types } from 'node:util';
import { invalidArgType, outOfRange, systemError, withAddress } from '../base/errors';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { toBytes, validateInteger } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM, type SocketType } from '../fd/describe';
import { closedFd, Fd } from '../fd/fd';
import { requireFd } from '../fd/kind';
import { binding } from '../native/binding';
import { lendAttachment } from './attachment';
import { SHUT, SO, SOL_SOCKET } from './constants';
import { consume } from './consume';
import { ATTACHMENTS, type Attachments } from './message';
import { type Credentials, peerCredentials, peerGroups, peerPidFd, toCredentials } from './peer';

const TYPES: Record<SocketType, number> = {
  stream: SOCK_STREAM,
  dgram: SOCK_DGRAM,
  seqpacket: SOCK_SEQPACKET,
};

/** Bytes of the buffer that receive() makes unless it is told. */
const DEFAULT_BUFFER = 64 * 1024;

/** Room for more than any message of the kernel can carry: 253 descriptors and all else are below 2 KiB. */
const MAX_CONTROL_BYTES = 64 * 1024;

/** UIO_MAXIOV of include/uapi/linux/uio.h */
const MAX_BUFFERS = 1024;

const ANY_INT = [-(2 ** 31), 2 ** 31 - 1] as const;

export interface RawSendOptions extends Attachments {
  to?: AddressLike;
  /** The control buffer as it is, `struct cmsghdr` and all, instead of `fds` and `credentials`. cmsg(3) */
  control?: Uint8Array;
  /** MSG.*; MSG_DONTWAIT and MSG_NOSIGNAL are always set. */
  flags?: number;
}

const SEND_OPTIONS: KnownNames<RawSendOptions> = { ...ATTACHMENTS, to: true, control: true, flags: true };

export interface RawReceiveOptions {
  /** The size of one buffer (default 65536), or the buffers to fill, one after the other. */
  buffers?: number | readonly Uint8Array[];
  /** Bytes of control buffer, up to 65536. Default 0: descriptors that come are closed. */
  controlBytes?: number;
  /** MSG.*; MSG_DONTWAIT and MSG_CMSG_CLOEXEC are always set. */
  flags?: number;
}

const RECEIVE_OPTIONS: KnownNames<RawReceiveOptions> = { buffers: true, controlBytes: true, flags: true };

/** One control message that has no field of its own in RawMessage. */
export interface RawControl {
  level: number;
  type: number;
  data: Buffer;
}

export interface RawMessage {
  /** What recvmsg(2) gave; with MSG.TRUNC among the flags the real size of a packet. */
  size: number;
  /** What is in the buffers, joined. */
  data: Buffer;
  /** msg_flags: MSG.TRUNC, MSG.CTRUNC, MSG.OOB, ... */
  flags: number;
  /** Owned by the caller. With MSG.PEEK as well: each peek makes new ones. */
  fds: Fd[];
  from: UnixAddress;
  /** Whole ones only, and only if the kernel knew the sender. */
  credentials?: Credentials;
  /** Owned by the caller. */
  pidFd?: Fd;
  control: RawControl[];
}

/**
 * A socket as the kernel sees it. Nothing waits: what would block throws a SystemError EAGAIN. No events, no
 * queues, no defaults: UnixDatagram, UnixSeqpacket and UnixStream are for everyday use.
 */
export class RawSocket implements Disposable {
  readonly #fd: Fd;

  /** Plain JavaScript can call it: the addon would abort on what has no number. */
  private constructor(fd: Fd) {
    requireFd(fd, 'make a RawSocket with RawSocket.open(), RawSocket.pair() or RawSocket.adopt()');
    fd.heldBy('RawSocket', 'close()');
    this.#fd = fd;
  }

  /** socket(2) in AF_UNIX, close-on-exec and non-blocking. */
  static open(type: SocketType): RawSocket {
    return new RawSocket(Fd.own(binding.openSocket(pick('type', TYPES, type))));
  }

  /** socketpair(2) */
  static pair(type: SocketType): [RawSocket, RawSocket] {
    const [first, second] = binding.openPair(pick('type', TYPES, type)).map(Fd.own) as [Fd, Fd];
    return [new RawSocket(first), new RawSocket(second)];
  }

  /**
   * Any socket, also of another family (addresses are those of AF_UNIX, though). Consumes `fd` unless it throws.
   * @throws SystemError ENOTSOCK
   */
  static adopt(fd: Fd): RawSocket {
    requireFd(fd);
    binding.getOption(fd.fd, SOL_SOCKET, SO.TYPE);
    return consume(fd, (own) => new RawSocket(own));
  }

  /** The number, borrowed, so that the socket can be lent; -1 once closed or detached. */
  get fd(): number {
    return this.#fd.fd;
  }

  /** bind(2) and nothing else: no mode, no removal. Without an address the kernel picks an abstract one. */
  bind(address: AddressLike = UnixAddress.unnamed): this {
    return this.#at(address, binding.bind);
  }

  connect(address: AddressLike): this {
    return this.#at(address, binding.connect);
  }

  /** @param backlog connections that wait; cut by net.core.somaxconn. listen(2) */
  listen(backlog: number): this {
    binding.listen(this.#open(), validateInteger('backlog', backlog, ...ANY_INT));
    return this;
  }

  /** accept4(2) */
  accept(): RawSocket {
    const accepted = new Int32Array(1);
    const count = binding.accept(this.#open(), accepted);
    if (count < 0) throw systemError(count, 'accept');
    return new RawSocket(Fd.own(accepted[0] as number));
  }

  shutdown(how: keyof typeof SHUT): void {
    const number = pick('how', SHUT, how);
    binding.shutdown(this.#open(), number);
  }

  /**
   * sendmsg(2)
   * @returns bytes that went; fewer than given only on a stream, where descriptors go with the first
   */
  send(data: string | Uint8Array | readonly Uint8Array[], options: RawSendOptions = NO_OPTIONS): number {
    validateOptions('options', options, SEND_OPTIONS);
    const { fds, credentials } = lendAttachment(options);
    if (options.control !== undefined && (fds !== undefined || credentials !== undefined)) {
      throw invalidArgType(
        'options.control',
        'without fds and credentials, which it holds itself',
        options.control,
      );
    }
    const to = options.to === undefined ? undefined : UnixAddress.from(options.to);
    const control = options.control === undefined ? undefined : toBytes('options.control', options.control);
    const flags = validateInteger('options.flags', options.flags ?? 0, ...ANY_INT);
    const buffers = readBuffers('data', data);
    const fd = this.#open(); // after whatever the caller's objects run
    const sent = binding.sendVector(fd, buffers, to?.sunPath, fds, credentials, control, flags);
    if (sent < 0) throw systemError(sent, 'sendmsg', to?.toString());
    return sent;
  }

  /** recvmsg(2) */
  receive(options: RawReceiveOptions = NO_OPTIONS): RawMessage {
    validateOptions('options', options, RECEIVE_OPTIONS);
    const buffers = openBuffers(options.buffers ?? DEFAULT_BUFFER);
    const room = validateInteger('options.controlBytes', options.controlBytes ?? 0, 0, MAX_CONTROL_BYTES);
    const flags = validateInteger('options.flags', options.flags ?? 0, ...ANY_INT);
    const raw = binding.receiveRaw(this.#open(), buffers, room, flags);
    const filled = buffers.filter((buffer) => buffer.length > 0); // concat() takes none that the caller has transferred away
    const capacity = filled.reduce((sum, buffer) => sum + buffer.length, 0);
    const message: RawMessage = {
      size: raw.size,
      fds: raw.fds.map(Fd.own),
      data: Buffer.concat(filled, Math.min(raw.size, capacity)),
      flags: raw.flags,
      from: UnixAddress.fromSunPath(raw.sunPath),
      control: raw.others,
    };
    if (raw.pidFd !== undefined) message.pidFd = Fd.own(raw.pidFd);
    if (raw.credentials !== undefined) message.credentials = toCredentials(...raw.credentials);
    return message;
  }

  /** getsockname(2) */
  address(): UnixAddress {
    return UnixAddress.fromSunPath(binding.localUnixAddress(this.#open()));
  }

  /** getpeername(2) */
  remoteAddress(): UnixAddress {
    return UnixAddress.fromSunPath(binding.remoteUnixAddress(this.#open()));
  }

  /** getsockopt(2) of an option that is an int, such as SO.SNDBUF at SOL_SOCKET. */
  getOption(level: number, name: number): number {
    return binding.getOption(this.#open(), anyInt('level', level), anyInt('name', name));
  }

  setOption(level: number, name: number, value: number): void {
    binding.setOption(this.#open(), anyInt('level', level), anyInt('name', name), anyInt('value', value));
  }

  /** SO_PEERCRED, socket(7). @throws SystemError ENOTCONN */
  get peerCredentials(): Credentials {
    return peerCredentials(this.#open());
  }

  /** SO_PEERGROUPS, socket(7). @throws SystemError ENODATA */
  peerGroups(): number[] {
    return peerGroups(this.#open());
  }

  /** SO_PEERPIDFD; the caller owns it. @throws SystemError ENOPROTOOPT before Linux 6.5, ENODATA */
  peerPidFd(): Fd {
    return peerPidFd(this.#open());
  }

  /** SO_COOKIE: equal for all descriptors of this socket, in whatever process, and never given to another one. */
  get cookie(): bigint {
    return binding.cookie(this.#open());
  }

  /** FIONREAD: the bytes of everything queued on a stream or seqpacket socket, of the first message on a datagram one. */
  get queuedBytes(): number {
    return binding.queuedBytes(this.#open());
  }

  /** poll(2) that does not wait: which of `events` (POLL.*) are so, and POLL.ERR, POLL.HUP unasked. */
  poll(events: number): number {
    return binding.poll(this.#open(), validateInteger('events', events, 0, 0x7fff));
  }

  /** Gives the descriptor away; this object is as if closed. */
  detach(): Fd {
    return Fd.own(this.#fd.detach());
  }

  /** Idempotent. */
  close(): void {
    this.#fd.close();
  }

  [Symbol.dispose](): void {
    this.close();
  }

  #open(): number {
    if (this.#fd.fd === -1) throw closedFd();
    return this.#fd.fd;
  }

  #at(address: AddressLike, call: (fd: number, sunPath: Uint8Array) => void): this {
    const to = UnixAddress.from(address);
    const fd = this.#open();
    try {
      call(fd, to.sunPath);
    } catch (error) {
      throw withAddress(error, to.toString());
    }
    return this;
  }
}

/** Own names only: an object has more. */
function pick(name: string, numbers: Readonly<Record<string, number>>, given: string): number {
  const names = Object.keys(numbers);
  if (!names.includes(given)) throw outOfRange(name, `one of '${names.join("', '")}'`, given);
  return numbers[given] as number;
}

function anyInt(name: string, value: number): number {
  return validateInteger(name, value, ...ANY_INT);
}

/** To send from. */
function readBuffers(name: string, data: string | Uint8Array | readonly Uint8Array[]): Uint8Array[] {
  if (!Array.isArray(data)) return [toBytes(name, data as string | Uint8Array)];
  return readEach(data, (one, index) => toBytes(`${name}[${index}]`, one as Uint8Array));
}

/** To receive into. */
function openBuffers(given: number | readonly Uint8Array[]): Uint8Array[] {
  if (typeof given === 'number') {
    return [Buffer.allocUnsafe(validateInteger('options.buffers', given, 0, 2 ** 31 - 1))];
  }
  const what = 'a size or an array of Uint8Arrays';
  if (!Array.isArray(given)) throw invalidArgType('options.buffers', what, given);
  return readEach(given, (one) => {
    if (!types.isUint8Array(one)) throw invalidArgType('options.buffers', what, given);
    return one;
  });
}

/**
 * A list of our own, each element read once: one of the caller's may have getters, which would run while the addon holds the
 * addresses of others. One more than the kernel takes is enough for its EMSGSIZE.
 */
function readEach(
  given: readonly unknown[],
  read: (one: unknown, index: number) => Uint8Array,
): Uint8Array[] {
  const all: Uint8Array[] = [];
  const count = Math.min(given.length, MAX_BUFFERS + 1);
  for (let index = 0; index < count; index++) all.push(read(given[index], index));
  return all;
}
