// WorkerHandoff: a handoff in a worker of a pool. Its listeners are the primary's, and the pool decides when it is replaced.

import type dgram from 'node:dgram';
import { EventEmitter } from 'node:events';
import type net from 'node:net';
import { closedError, invalidArgType } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { validateInteger, validateTimeout } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import type { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';
import { lend } from '../fd/lend';
import { type DatagramOptions, datagramPlace, type UdpOptions, udpPlace } from '../handoff/datagram-place';
import { UdpService, UnixDatagramService } from '../handoff/datagram-service';
import { Departure } from '../handoff/departure';
import { type ListenerOptions, type Place, streamPlace, validateServer } from '../handoff/endpoint';
import type { Handoff, HandoffStatus } from '../handoff/handoff';
import type { PlainSettings } from '../handoff/options';
import { checkHealth } from '../handoff/probation';
import { systemProcess } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import { Registry } from '../handoff/registry';
import { ServerService } from '../handoff/service';
import { stateError } from '../handoff/state-error';
import type { HandoffEvents, HandoffState } from '../handoff/status';
import type { UnixDatagram } from '../sockets/datagram';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { Figures } from './figures';
import type { PlaceRequest, PrimaryMessage } from './messages';
import { askForDatagram, askForStream, askForUdp } from './place';
import { Primary } from './primary';

/** Takes the socket over. @throws ERR_HANDOFF_HOLDER_GONE */
export async function joinPool(settings: PlainSettings, socket: UnixSeqpacket): Promise<Handoff> {
  const handoff = new WorkerHandoff(settings, socket);
  await handoff.begin();
  const part: PublicPart = handoff;
  return part as Handoff; // it has all that a program can see of one
}

type PublicPart = Omit<Handoff, keyof EventEmitter<HandoffEvents>>;

class WorkerHandoff extends EventEmitter<HandoffEvents> implements PublicPart {
  readonly name: string;
  /** It replaces another worker; that one is the primary's affair. */
  readonly predecessor = undefined;
  readonly receipt = undefined;
  readonly state = undefined;
  /** Resolves when another worker has replaced this one and all connections have ended. */
  readonly superseded: Promise<Receipt>;
  readonly #settings: PlainSettings;
  readonly #registry = new Registry();
  readonly #figures = new Figures();
  readonly #primary: Primary;
  readonly #ignoreSignal: () => void;
  #generation = 0;
  #state: HandoffState = 'starting';
  #readyCalled = false;
  #ending: Promise<void> | undefined;
  #resolveSuperseded: (receipt: Receipt) => void = () => {};

  constructor(settings: PlainSettings, socket: UnixSeqpacket) {
    super();
    this.name = settings.name;
    this.#settings = settings;
    this.superseded = new Promise((resolve) => {
      this.#resolveSuperseded = resolve;
    });
    this.#primary = new Primary(socket, {
      ping: (sequence) => void this.#pong(sequence),
      confirmed: () => this.#confirmed(),
      stop: (message) => void this.#stop(message),
      gone: () => void this.#end(this.#settings.timeouts.drain),
    });
    const { restartOn } = settings;
    // It is the primary's: here it must not end the process, which may share a terminal with it.
    this.#ignoreSignal = restartOn === undefined ? () => {} : systemProcess.onSignal(restartOn, () => {});
  }

  async begin(): Promise<void> {
    this.#generation = (await this.#primary.hello()).generation;
  }

  /** Counts the workers that were in this place of the pool. */
  get generation(): number {
    return this.#generation;
  }

  async listen<S extends net.Server>(name: string, server: S, options: ListenerOptions): Promise<S> {
    validateServer(name, server);
    await streamPlace(options); // what is wrong with it is said here, and not by the primary
    const { backlog = DEFAULT_BACKLOG, drain: farewell } = options;
    const service = () => new ServerService(server, { backlog, farewell });
    const fd = await this.#ask('listen()', name, askForStream(options));
    this.#claim(fd, (place) => this.#registry.claim(name, { place, user: server, service }));
    return server;
  }

  async bindUdp(name: string, options: UdpOptions): Promise<dgram.Socket> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    udpPlace(options);
    const service = (fd: Fd) => UdpService.on(fd, options.type ?? 'udp4');
    const fd = await this.#ask('bindUdp()', name, askForUdp(options));
    return this.#claim(fd, (place) => this.#registry.claim(name, { place, service })).user;
  }

  async bindDatagram(
    name: string,
    address: AddressLike,
    options: DatagramOptions = {},
  ): Promise<UnixDatagram> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    datagramPlace(UnixAddress.from(address), options);
    const { mode: _, ...forSocket } = options;
    const service = (fd: Fd) => UnixDatagramService.adopt(fd, forSocket);
    const fd = await this.#ask('bindDatagram()', name, askForDatagram(address, options));
    return this.#claim(fd, (place) => this.#registry.claim(name, { place, service })).user;
  }

  /** Workers leave each other nothing: the value is never asked for. */
  provideState(version: number, get: () => unknown): void {
    validateInteger('version', version, 0, Number.MAX_SAFE_INTEGER);
    if (typeof get !== 'function') throw invalidArgType('get', 'a function', get);
    this.#requireOpen();
  }

  /** As provideState(). */
  put(name: string, from: FdLike): void {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    lend(from);
    this.#requireOpen();
  }

  /** Nobody has put anything there. */
  take(name: string): undefined {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#requireBoot('take()');
  }

  extend(ms: number): void {
    validateTimeout('ms', ms);
    this.#requireBoot('extend()');
    this.#primary.say({ type: 'extend', ms });
  }

  async ready(): Promise<void> {
    this.#requireOpen();
    if (this.#readyCalled) throw stateError('ready() was called already');
    this.#readyCalled = true;
    await this.#registry.start();
    this.#requireOpen();
    this.#state = 'probation';
    this.#primary.say({ type: 'ready' });
  }

  async fail(reason: string): Promise<void> {
    if (typeof reason !== 'string') throw invalidArgType('reason', 'a string', reason);
    if (this.#state !== 'probation')
      throw stateError(`a process that is ${this.#state} cannot be rolled back`);
    this.#primary.say({ type: 'fail', reason });
    await this.close();
  }

  async upgrade(): Promise<never> {
    throw stateError('this process is a worker: its pool replaces it, by pool.restart() in the primary');
  }

  status(): HandoffStatus {
    const { name } = this;
    return {
      name,
      pid: process.pid,
      generation: this.#generation,
      state: this.#state,
      listeners: this.#registry.status(),
    };
  }

  async close(): Promise<void> {
    if (this.#ending === undefined) this.#primary.say({ type: 'leaving' });
    await this.#leave('closed', this.#settings.timeouts.drain);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #ask(what: string, name: string, place: PlaceRequest): Promise<Fd> {
    this.#requireBoot(what);
    return await this.#primary.listener(name, place);
  }

  /** Gives the registry a descriptor that the primary has bound. */
  #claim<T>(fd: Fd, claim: (place: Place) => T): T {
    try {
      this.#requireBoot('what the primary was asked for');
      return claim({ matches: () => false, bind: () => ({ fd, name: undefined }) });
    } catch (error) {
      fd.close();
      throw error;
    }
  }

  async #pong(sequence: number): Promise<void> {
    const listeners = this.#registry.status();
    const connections = listeners.reduce((sum, listener) => sum + listener.connections, 0);
    const figures = this.#figures.take({ connections, accepted: this.#registry.accepted });
    const unwell = await checkHealth(this.#settings.health).then(
      () => ({}),
      (error: Error) => ({ unwell: error.message }),
    );
    this.#primary.say({ type: 'pong', sequence, figures, ...unwell });
  }

  #confirmed(): void {
    if (this.#state !== 'probation') return;
    this.#state = 'serving';
    process.nextTick(() => this.emit('confirmed'));
  }

  async #stop({ drainMs, receipt }: PrimaryMessage & { type: 'stop' }): Promise<void> {
    if (receipt !== undefined && this.#ending === undefined)
      process.nextTick(() => this.emit('superseded', receipt));
    await this.#end(drainMs, receipt);
  }

  /** This worker is wanted no more: its process ends when its connections have. */
  async #end(drainMs: number, receipt?: Receipt): Promise<void> {
    const asked = this.#ending !== undefined; // by close(): who calls that ends the process
    const departure = await this.#leave(receipt === undefined ? 'closed' : 'superseded', drainMs);
    if (receipt !== undefined) this.#resolveSuperseded(receipt);
    if (!asked) departure.end(0);
  }

  #departure: Departure | undefined;

  async #leave(state: 'closed' | 'superseded', drainMs: number): Promise<Departure> {
    const timeouts = { ...this.#settings.timeouts, drain: drainMs };
    this.#departure ??= new Departure(this.#registry, systemProcess, timeouts);
    const departure = this.#departure;
    this.#ending ??= this.#drain(state, departure);
    await this.#ending;
    return departure;
  }

  async #drain(state: 'closed' | 'superseded', departure: Departure): Promise<void> {
    this.#state = state;
    this.#registry.stop({ unlink: () => false });
    this.#primary.unref();
    await departure.drain();
    this.#registry.release();
    this.#figures.stop();
    this.#ignoreSignal();
    this.#primary.leave();
  }

  #requireBoot(what: string): void {
    this.#requireOpen();
    if (this.#state !== 'starting' || this.#readyCalled) throw stateError(`${what} belongs before ready()`);
  }

  #requireOpen(): void {
    if (this.#state === 'closed') throw closedError('Handoff');
  }
}
