// MessageSocket: what datagram and seqpacket sockets share: the pump, the waiting, the life cycle.
import { EventEmitter } from 'node:events';
import { constants } from 'node:os';
import { onCancel, validateWaitOptions, type WaitOptions } from '../base/abort';
import { closedError, hasCode, systemError, withAddress } from '../base/errors';
import { MAX_BATCH } from '../base/limits';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { toBytes, validateInteger } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import { requireFd } from '../fd/kind';
import { binding } from '../native/binding';
import { lendAttachment } from './attachment';
import { destination } from './destination';
import { Fifo } from './fifo';
import { type Batch, Inbox } from './inbox';
import {
  ATTACHMENTS,
  type Attachments,
  discard,
  type Message,
  SEND_OPTIONS,
  type SendOptions,
  type SocketOptions,
  validateSocketOptions,
} from './message';
import { Outbox, type Outgoing } from './outbox';
import { type ControlLimits, setPassing } from './passing';
import { type Credentials, peerCredentials, peerGroups, peerPidFd } from './peer';
import { READABLE, Readiness, WRITABLE } from './readiness';
import { copyOf } from './shared-memory';

const EAGAIN = -constants.errno.EAGAIN;
const ENOTCONN = -constants.errno.ENOTCONN;

/** While it is quiet, a batch is asked for only so often. */
const QUIET_READS = 8;

/** Enough for all packets that a send buffer of the default size holds: 278 small ones. */
const LAST_BATCHES = 16;

/** 'listening' comes from datagram sockets, 'end' from seqpacket ones. */
export interface MessageSocketEvents {
  message: [message: Message];
  connect: [];
  listening: [];
  end: [];
  drain: [];
  error: [error: Error];
  close: [];
  newListener: [event: string | symbol, listener: (...args: unknown[]) => void];
  removeListener: [event: string | symbol, listener: (...args: unknown[]) => void];
}

/** What a kind of socket adds. */
export interface MessageSocketKind {
  /** SOCK_* */
  type: number;
  /** There is an end of the stream. */
  endOfStream: boolean;
  /** The options that its constructor knows. */
  options: KnownNames<SocketOptions>;
}

interface Waiter<End> {
  resolve(message: Message | End): void;
  reject(error: Error): void;
}

/**
 * Reads only while somebody listens to 'message', awaits receive() or iterates: else the kernel's queue
 * fills up and the peer feels it. `End` is what receive() gives at the end of the stream.
 */
export abstract class MessageSocket<End> extends EventEmitter<MessageSocketEvents> {
  readonly #fd: Fd;
  readonly #limits: ControlLimits;
  readonly #lendsData: boolean;
  readonly #readiness: Readiness;
  readonly #inbox: Inbox;
  readonly #outbox: Outbox;
  readonly #waiters: Waiter<End>[] = [];
  /** Received in a batch and not wanted yet. Bounded by one batch, or LAST_BATCHES. */
  readonly #ready = new Fifo<Message>();
  /** The bytes of those are lent by the inbox until somebody receives again. */
  #borrowed = false;
  /** Comes behind them. */
  #failure: Error | undefined;
  readonly #stopSignal: () => void;
  readonly #endOfStream: boolean;
  #state: 'open' | 'closing' | 'closed' = 'open';
  #readable = true;
  #delivering = false;
  /** Seqpacket before connect(): poll(2) calls it ready and recvmsg(2) has nothing but ENOTCONN. */
  #unconnected = false;
  /** Somebody listens to 'message'. */
  #listens = false;
  /** Loops of the async iterator. */
  #iterators = 0;
  /** The last batch brought more than one message. The first one finds what has queued up. */
  #busy = true;
  #quietReads = 0;
  /** Bytes of the last message: the next ones are expected to be of that size. */
  #lastSize = 0;
  #ended = false;
  #endDelivered = false;

  /** Owns `fd` once it has returned; while it throws, the caller does. Without one it opens a socket. */
  protected constructor(options: SocketOptions, kind: MessageSocketKind, given?: Fd) {
    super();
    const limits = validateSocketOptions(options, kind.options);
    if (given !== undefined) requireFd(given);
    const fd = given ?? Fd.own(binding.openSocket(kind.type));
    this.#fd = fd;
    fd.heldBy(this.constructor.name, 'close()');
    this.#endOfStream = kind.endOfStream;
    this.#lendsData = limits.lendData;
    let stopSignal = (): void => {};
    try {
      this.#limits = setPassing(fd.fd, limits);
      if (kind.endOfStream) binding.enableEndDetection(fd.fd);
      stopSignal = onCancel({ signal: options.signal }, 'the socket', () => void this.close());
      this.#inbox = Inbox.for(limits);
      this.#readiness = new Readiness(fd.fd, (events) => this.#onReady(events));
    } catch (error) {
      stopSignal();
      if (given === undefined) fd.close();
      throw error;
    }
    this.#stopSignal = stopSignal;
    const onDrain = (): void => process.nextTick(() => this.#emitDrain());
    this.#outbox = new Outbox(fd, this.#readiness, limits.highWaterMark, onDrain);
    this.#watchListeners();
  }

  /** The number, borrowed, so that the socket itself can be lent; -1 once closed. */
  get fd(): number {
    return this.#fd.fd;
  }

  get closed(): boolean {
    return this.#state !== 'open';
  }

  /** Messages that wait for room in the peer. */
  get queuedMessages(): number {
    return this.#outbox.queuedMessages;
  }

  /**
   * True when trySend() was refused, or as many messages wait as `highWaterMark` says: slow down. 'drain' follows
   * when there is room again.
   */
  get writableNeedDrain(): boolean {
    return this.#outbox.needDrain;
  }

  address(): UnixAddress {
    return UnixAddress.fromSunPath(binding.localUnixAddress(this.openFd()));
  }

  /** @throws SystemError ENOTCONN */
  remoteAddress(): UnixAddress {
    return UnixAddress.fromSunPath(binding.remoteUnixAddress(this.openFd()));
  }

  /**
   * Who called connect(), listen() or socketpair() at the other end, fixed at that moment. SO_PEERCRED, socket(7)
   * @throws SystemError ENOTCONN, also on a datagram socket that is not one of a pair
   */
  get peerCredentials(): Credentials {
    return peerCredentials(this.openFd());
  }

  /**
   * The supplementary groups of that process. SO_PEERGROUPS, socket(7)
   * @throws SystemError ENODATA if not connected
   */
  peerGroups(): number[] {
    return peerGroups(this.openFd());
  }

  /**
   * A pidfd of that process, which the caller owns: it cannot be mistaken for a later process of that number.
   * @throws SystemError ENOPROTOOPT before Linux 6.5, ENODATA if not connected
   */
  peerPidFd(): Fd {
    return peerPidFd(this.openFd());
  }

  /** The socket itself listens for 'newListener' and 'removeListener', to know when somebody wants messages. */
  override removeAllListeners(event?: keyof MessageSocketEvents): this {
    // EventEmitter counts its arguments.
    if (event === undefined) super.removeAllListeners();
    else super.removeAllListeners(event);
    this.#watchListeners();
    this.#noteListeners();
    return this;
  }

  ref(): this {
    return this.#setRef(true);
  }

  unref(): this {
    return this.#setRef(false);
  }

  /** Bytes, as the kernel counts them (with its overhead): the longest message is about this. SO_SNDBUF, socket(7) */
  getSendBufferSize(): number {
    return binding.getSendBufferSize(this.openFd());
  }

  /** The kernel doubles the value and cuts it to net.core.wmem_max. SO_SNDBUF, socket(7) */
  setSendBufferSize(bytes: number): void {
    binding.setSendBufferSize(this.openFd(), validateInteger('bytes', bytes, 1, 2 ** 31 - 1));
  }

  /**
   * The next message, which the caller owns.
   * @throws ERR_FDPASS_CLOSED when the socket closes first, SystemError ECONNRESET, AbortError, ERR_FDPASS_TIMEOUT
   */
  async receive(options: WaitOptions = NO_OPTIONS): Promise<Message | End> {
    validateWaitOptions(options);
    this.openFd();
    const message = this.#take();
    if (message !== undefined) return message;
    if (!this.#readable) throw closedError(this.constructor.name);
    return await new Promise((resolve, reject) => {
      const stop = onCancel(options, 'receive()', (error) => {
        this.#waiters.splice(this.#waiters.indexOf(waiter), 1);
        this.#updateReading();
        reject(error);
      });
      const waiter: Waiter<End> = {
        resolve: (received) => {
          stop();
          resolve(received);
        },
        reject: (error) => {
          stop();
          reject(error);
        },
      };
      this.#waiters.push(waiter);
      this.#updateReading();
    });
  }

  /**
   * Ends when the socket closes or the stream ends. Leaving the loop leaves the socket open. It reads ahead, by one
   * batch: who hands the descriptor to another process takes receive().
   */
  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, void> {
    this.#iterators++;
    try {
      while (!this.closed) {
        const message = this.#take() ?? (await this.receive());
        if (!isMessage(message)) return;
        yield message;
      }
    } catch (error) {
      if (!hasCode(error, 'ERR_FDPASS_CLOSED')) throw error;
    } finally {
      this.#iterators--;
    }
  }

  /**
   * Closes now: what waits in send() or receive() rejects with ERR_FDPASS_CLOSED, received descriptors that
   * nobody took are closed. Idempotent; resolves when 'close' has been emitted.
   */
  async close(): Promise<void> {
    if (this.#state === 'open') this.#shut();
    if (this.#state === 'closing') await new Promise<void>((resolve) => this.once('close', resolve));
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /**
   * @internal Takes nothing more from the kernel: that is another process's from here. What was received already is
   * delivered; whoever waits for more is told that the socket is closed.
   */
  stopReading(): void {
    if (this.#state !== 'open') return;
    this.#readable = false;
    this.#updateReading();
    this.#rejectWaiters();
    this.#updateReading();
  }

  /** What receive() gives when nothing will come any more. Never read on a socket without an end. */
  protected abstract readonly endValue: End;

  /** The number for a call that needs an open socket. */
  protected openFd(): number {
    if (this.#state !== 'open') throw closedError(this.constructor.name);
    return this.#fd.fd;
  }

  /** Runs while the descriptor is still open, just before it closes. */
  protected beforeClose(): void {}

  /** connect(2), which for AF_UNIX never has to wait; 'connect' follows. */
  protected connectTo(address: AddressLike): void {
    const to = UnixAddress.from(address);
    const fd = this.openFd();
    try {
      binding.connect(fd, to.sunPath);
    } catch (error) {
      throw withAddress(error, to.toString());
    }
    this.#unconnected = false; // what was ENOTCONN before can be received
    this.#updateReading();
    process.nextTick(() => this.emit('connect'));
  }

  /** Called once when the peer has ended the stream and all its messages have been delivered. */
  protected onEnd(): void {}

  /** Calls back when nothing waits to be sent any more; not if the socket closes first. */
  protected whenSent(callback: () => void): void {
    this.#outbox.whenEmpty(callback);
  }

  protected trySendTo(data: string | Uint8Array, to: AddressLike | undefined, options: Attachments): boolean {
    validateOptions('options', options, ATTACHMENTS);
    const message = outgoing(data, to, options);
    if (this.#outbox.trySend(this.openFd(), message)) return true;
    this.#outbox.awaitRoom(message.to);
    return false;
  }

  /** Rejects, whatever it is. (Not `async`: what waits would keep the frame of a function, too.) */
  protected sendTo(
    data: string | Uint8Array,
    to: AddressLike | undefined,
    options: SendOptions,
  ): Promise<void> {
    try {
      validateWaitOptions(options, SEND_OPTIONS);
      const message = outgoing(data, to, options);
      if (!this.#outbox.trySend(this.openFd(), message)) return this.#outbox.enqueue(message, options);
      return Promise.resolve();
    } catch (error) {
      return Promise.reject(error);
    }
  }

  readonly #onNewListener = (event: string | symbol): void => {
    if (event === 'message') process.nextTick(() => this.#noteListeners());
  };

  readonly #onRemoveListener = (event: string | symbol): void => {
    if (event === 'message') this.#noteListeners();
  };

  #noteListeners(): void {
    this.#listens = this.listenerCount('message') > 0;
    this.#updateReading();
  }

  #watchListeners(): void {
    this.off('newListener', this.#onNewListener).on('newListener', this.#onNewListener);
    this.off('removeListener', this.#onRemoveListener).on('removeListener', this.#onRemoveListener);
  }

  #setRef(ref: boolean): this {
    if (this.#state === 'open') this.#readiness.setRef(ref);
    this.#outbox.setRef(ref);
    return this;
  }

  get #wantsMessages(): boolean {
    return this.#waiters.length > 0 || this.#listens;
  }

  #updateReading(): void {
    if (this.#state !== 'open') return;
    this.#deliver();
    if (this.#state !== 'open') return;
    const waits = this.#waiters.length > 0;
    if (!this.#readable) this.#readiness.drop(READABLE);
    else if (waits || (this.#wantsMessages && !this.#ended && !this.#unconnected))
      this.#readiness.want(READABLE);
    else this.#readiness.drop(READABLE);
  }

  #onReady(events: number): void {
    if ((events & WRITABLE) !== 0) this.#outbox.onWritable();
    if ((events & READABLE) !== 0 && this.#state === 'open') this.#receiveBatch();
  }

  #receiveBatch(): void {
    const wanted = this.#batchSize();
    const batch = this.#receive(wanted, this.#lastSize);
    if (batch === EAGAIN) return;
    if (batch === ENOTCONN && this.#waiters.length === 0) {
      this.#unconnected = true; // listeners wait for connect(); a receive() is told
      this.#updateReading();
      return;
    }
    if (typeof batch === 'number') {
      this.#failure = systemError(batch, 'recvmsg');
      this.#receiveRest();
    } else {
      if (wanted > 1) this.#busy = batch.messages.length > 1;
      this.#keep(batch);
    }
    this.#updateReading();
  }

  #receive(maxMessages: number, expected: number): Batch | number {
    this.#own();
    const endOfStream = this.#endOfStream;
    return this.#inbox.receive(this.#fd.fd, this.#limits, { maxMessages, endOfStream, expected });
  }

  // One at a time while it is quiet: to prepare for a batch takes longer than to receive one message. Every eighth
  // time we look whether more have come.
  #batchSize(): number {
    const reads = this.#iterators > 0 || this.#listens;
    if (!reads) return Math.min(MAX_BATCH, this.#waiters.length);
    if (this.#busy) return MAX_BATCH;
    this.#quietReads = (this.#quietReads + 1) % QUIET_READS;
    return this.#quietReads === 0 ? 2 : 1;
  }

  // The kernel tells a pending error before what was queued ahead of it (__skb_try_recv_datagram() in
  // net/core/datagram.c). Of a peer that sent its last packets and closed with some of ours unread, those come first.
  #receiveRest(): void {
    for (let batches = 0; batches < LAST_BATCHES; batches++) {
      const batch = this.#receive(MAX_BATCH, 0);
      if (typeof batch === 'number') return;
      this.#keep(batch);
      if (batch.ended || batch.messages.length < MAX_BATCH) return;
    }
  }

  #keep(batch: Batch): void {
    this.#ready.append(batch.messages);
    this.#borrowed = this.#lendsData;
    this.#lastSize = batch.messages.at(-1)?.data.length ?? 0;
    this.#ended = batch.ended;
  }

  /** The next one, which the caller owns. */
  #take(): Message | undefined {
    const message = this.#ready.shift();
    if (message !== undefined && this.#borrowed) message.data = copyOf(message.data, 0, message.data.length);
    return message;
  }

  /** What waits is ours from here. */
  #own(): void {
    if (!this.#borrowed) return;
    for (const message of this.#ready) message.data = copyOf(message.data, 0, message.data.length);
    this.#borrowed = false;
  }

  // A handler that throws must not cost the messages behind it: they follow in a turn of their own.
  #deliver(): void {
    // A 'once' listener is removed before it is called, which leads back here: not past the message at hand.
    if (this.#delivering) return;
    let delivered = false;
    this.#delivering = true;
    try {
      while (this.#ready.length > 0 && this.#wantsMessages && this.#state === 'open') {
        if (this.#waiters.length === 0) this.emit('message', this.#ready.shift() as Message);
        else this.#waiters.shift()?.resolve(this.#take() as Message);
      }
      delivered = true;
    } finally {
      this.#delivering = false;
      this.#own();
      if (!delivered && this.#ready.length > 0) setImmediate(() => this.#updateReading());
    }
    if (this.#ready.length > 0 || this.#state !== 'open') return;
    if (this.#failure !== undefined) this.#deliverFailure(this.#failure);
    else if (this.#ended) this.#deliverEnd();
  }

  #deliverFailure(error: Error): void {
    if (!this.#wantsMessages && this.listenerCount('error') === 0) return; // whoever receives next is told
    this.#failure = undefined;
    const waiter = this.#waiters.shift();
    if (this.#ended && this.#wantsMessages) process.nextTick(() => this.#updateReading());
    if (waiter !== undefined) waiter.reject(error);
    else this.emit('error', error);
  }

  #deliverEnd(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.resolve(this.endValue);
    if (this.#endDelivered) return;
    this.#endDelivered = true;
    this.onEnd();
  }

  // In a tick of its own: a listener that throws costs nobody the outcome of a send().
  #emitDrain(): void {
    if (this.#state === 'open') this.emit('drain');
  }

  #rejectWaiters(): void {
    for (const waiter of this.#waiters.splice(0)) waiter.reject(closedError(this.constructor.name));
  }

  #shut(): void {
    this.#state = 'closing';
    this.#stopSignal();
    this.#readiness.close();
    this.beforeClose();
    this.#fd.close();
    for (const message of this.#ready.clear()) discard(message);
    this.#outbox.clear(() => closedError(this.constructor.name));
    this.#rejectWaiters();
    process.nextTick(() => {
      this.#state = 'closed';
      this.emit('close');
    });
  }
}

function outgoing(data: string | Uint8Array, to: AddressLike | undefined, options: Attachments): Outgoing {
  return { data: toBytes('data', data), to: destination(to), lent: lendAttachment(options) };
}

function isMessage(value: unknown): value is Message {
  return typeof value === 'object' && value !== null;
}

/** Both ends of a pair, or neither. */
export function openBoth<S extends MessageSocket<unknown>>(fds: Fd[], open: (fd: Fd) => S): [S, S] {
  const [first, second] = fds as [Fd, Fd];
  let opened: S | undefined;
  try {
    opened = open(first);
    return [opened, open(second)];
  } catch (error) {
    if (opened === undefined) first.close();
    else void opened.close();
    second.close();
    throw error;
  }
}
