// WorkerHandoff: createHandoff() in a worker of a pool. The program sees a handoff; whom it hands over to, and when, is the
// primary's affair.

import type dgram from 'node:dgram';
import { EventEmitter } from 'node:events';
import type net from 'node:net';
import { FdpassError, invalidArgType } from '../base/errors';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger, validateTimeout } from '../base/validate';
import type { AddressLike } from '../fd/address';
import type { Fd } from '../fd/fd';
import type { DatagramOptions, UdpOptions } from '../handoff/datagram-place';
import { UdpService, UnixDatagramService } from '../handoff/datagram-service';
import { type ListenerOptions, validateServer } from '../handoff/endpoint';
import type { Handoff, HandoffStatus } from '../handoff/handoff';
import type { PlainSettings } from '../handoff/options';
import { systemProcess } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import type { Service } from '../handoff/service';
import type { HandoffEvents } from '../handoff/status';
import type { UpgradeOptions } from '../handoff/upgrade';
import type { UnixDatagram } from '../sockets/datagram';
import { Member, type Wish } from './member';
import { datagramRequest, streamRequest, udpRequest } from './place';
import type { Appointment } from './post';
import { serverService } from './server-service';

/** @throws ERR_HANDOFF_HOLDER_GONE: the primary is gone */
export async function beginWorker(appointment: Appointment, settings: PlainSettings): Promise<Handoff> {
  const worker: PublicPart = await WorkerHandoff.begin(appointment, settings);
  return worker as Handoff; // it has all that a program can see of one
}

const UPGRADE_OPTIONS: KnownNames<Pick<UpgradeOptions, 'signal'>> = { signal: true };

const PRIMARYS = 'the primary of the pool starts the workers: leave it out';
const NOT_HERE = { command: PRIMARYS, args: PRIMARYS, env: PRIMARYS };

type PublicPart = Omit<Handoff, keyof EventEmitter<HandoffEvents>>;

class WorkerHandoff extends EventEmitter<HandoffEvents> implements PublicPart {
  readonly name: string;
  /** The workers before it are the primary's. */
  readonly predecessor = undefined;
  readonly receipt = undefined;
  readonly state = undefined;
  #member: Member | undefined;
  #ignoreSignal: () => void = () => {};

  static async begin(appointment: Appointment, settings: PlainSettings): Promise<WorkerHandoff> {
    const { timeouts, health, restartOn } = settings;
    const handoff = new WorkerHandoff(settings.name);
    handoff.#member = await Member.begin(appointment, {
      timeouts,
      health,
      seam: systemProcess,
      announce: (event, ...args) =>
        process.nextTick(() => handoff.emit(event as keyof HandoffEvents, ...(args as never))),
    });
    if (restartOn !== undefined)
      handoff.#ignoreSignal = systemProcess.onSignal(restartOn, () => handoff.#rollOn(restartOn));
    return handoff;
  }

  private constructor(name: string) {
    super();
    this.name = name;
  }

  get #life(): Member {
    return this.#member as Member;
  }

  get generation(): number {
    return this.#life.generation;
  }

  get superseded(): Promise<Receipt> {
    return this.#life.superseded;
  }

  /** Nobody asks for it. */
  provideState(version: number, get: () => unknown): void {
    validateInteger('version', version, 0, Number.MAX_SAFE_INTEGER);
    if (typeof get !== 'function') throw invalidArgType('get', 'a function', get);
    this.#life.requireOpen();
  }

  async listen<S extends net.Server>(name: string, server: S, options: ListenerOptions): Promise<S> {
    validateServer(name, server);
    const place = streamRequest(options);
    const { backlog } = place;
    const service = serverService(server, { backlog, farewell: options.drain });
    await this.#claim('listen()', name, { place, user: server, service });
    return server;
  }

  async bindUdp(name: string, options: UdpOptions): Promise<dgram.Socket> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    const place = udpRequest(options);
    const service = (fd: Fd) => UdpService.on(fd, options.type ?? 'udp4');
    return (await this.#claim('bindUdp()', name, { place, service })).user;
  }

  async bindDatagram(
    name: string,
    address: AddressLike,
    options: DatagramOptions = {},
  ): Promise<UnixDatagram> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    const place = datagramRequest(address, options);
    const { mode: _, ...forSocket } = options;
    const service = (fd: Fd) => UnixDatagramService.adopt(fd, forSocket);
    return (await this.#claim('bindDatagram()', name, { place, service })).user;
  }

  put(): never {
    throw new FdpassError(
      'ERR_HANDOFF_WORKER',
      'a worker of a pool has no successor of its own to put() a descriptor for: open it in each worker',
    );
  }

  /** There was nobody to put anything there. */
  take(name: string): undefined {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#life.requireBoot('take()');
  }

  extend(ms: number): void {
    validateTimeout('ms', ms);
    this.#life.extend(ms);
  }

  ready(): Promise<void> {
    return this.#life.ready();
  }

  async fail(reason: string): Promise<void> {
    if (typeof reason !== 'string') throw invalidArgType('reason', 'a string', reason);
    await this.#life.fail(reason);
  }

  async upgrade(options: UpgradeOptions = {}): Promise<Receipt> {
    validateOptions<Pick<UpgradeOptions, 'signal'>>('options', options, UPGRADE_OPTIONS, NOT_HERE);
    return await this.#life.roll(options.signal);
  }

  status(): HandoffStatus {
    const { generation, state, listeners } = this.#life;
    return { name: this.name, pid: process.pid, generation, state, listeners };
  }

  close(): Promise<void> {
    return this.#life.close().finally(this.#ignoreSignal);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  /** The answer comes later, perhaps behind ready(): nobody would start that service. */
  async #claim<S extends Service>(what: string, name: string, wish: Wish<S>): Promise<S> {
    this.#life.requireBoot(what);
    return await this.#life.claim(name, {
      ...wish,
      service: (...given) => {
        this.#life.requireBoot(what);
        return wish.service(...given);
      },
    });
  }

  /** The program has not asked for it, so that nothing in it hears of a failure: that is a warning. */
  #rollOn(signal: NodeJS.Signals): void {
    this.#life.roll().catch((error: Error) => {
      process.emitWarning(error, { detail: `the roll was asked for by ${signal}` });
    });
  }
}
