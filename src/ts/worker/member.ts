// Member: the life of one worker of a pool. It boots, serves, perhaps without a primary, and leaves. The listeners are the
// primary's: a worker that goes takes nothing away.
import type net from 'node:net';
import { onCancel } from '../base/abort';
import { closedError, FdpassError } from '../base/errors';
import { Fd } from '../fd/fd';
import { handleOf } from '../fd/handle';
import type { SetRef } from '../fd/stand-in';
import type { DrainCount } from '../handoff/connections';
import { Departure } from '../handoff/departure';
import type { ProbationOptions } from '../handoff/probation';
import type { ProcessSeam } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import { Registry } from '../handoff/registry';
import type { Service } from '../handoff/service';
import { stateError } from '../handoff/state-error';
import type { HandoffEvents, HandoffState, ListenerStatus } from '../handoff/status';
import type { HandoffTimeouts } from '../handoff/timeouts';
import { type Belongings, Bond, type BondHandlers, type Order, primaryGone } from './bond';
import { LoadReport } from './load-report';
import type { Delivery, HeldListener, PlaceRequest } from './messages';
import { outliveReaders } from './output';
import { PassedService, serveAll } from './passed-service';

import type { Appointment } from './post';
import { VitalSigns } from './vital-signs';

export interface MemberSettings {
  timeouts: HandoffTimeouts;
  health: ProbationOptions['health'];
  seam: ProcessSeam;
  /** Must not call back before it has returned. */
  announce<E extends keyof HandoffEvents>(event: E, ...args: HandoffEvents[E]): void;
}

/** How the connections of a listener come. */
export interface ServiceWay {
  delivery: Delivery;
  /** Whether what comes over the link keeps the process alive. */
  setRef: SetRef;
  /** Of a TLS server: those of all workers. */
  ticketKeys: string | undefined;
}

/** A listener that is wanted. */
export interface Wish<S extends Service> {
  place: PlaceRequest;
  /** The program's own object, which may serve one name only. */
  user?: net.Server;
  /** Makes the service. The descriptor is lent; `setRef` says whether what comes over the link keeps the process alive. */
  service: (fd: Fd, way: ServiceWay) => S;
}

/** Of a roll that this worker has asked for. */
interface RollOutcome {
  resolve(receipt: Receipt): void;
  reject(error: Error): void;
}

type Stop = Order & { type: 'stop' };

export class Member {
  /** Resolves when this worker was told to stop and has drained. */
  readonly superseded: Promise<Receipt>;
  readonly #registry = new Registry();
  readonly #settings: MemberSettings;
  /** Its own: the primary sets the limit of the drain. */
  readonly #timeouts: HandoffTimeouts;
  readonly #departure: Departure;
  readonly #vitals: VitalSigns;
  readonly #orphans: 'serve' | 'drain';
  readonly #load: LoadReport;
  /** Names whose answer has not come. */
  readonly #asked = new Set<string>();
  readonly #held = new Map<string, HeldListener>();
  readonly #passed = new Map<string, PassedService>();
  /** A primary may pass a connection also where the worker accepts itself: one that nobody else accepts. */
  readonly #servers = new Map<string, net.Server>();
  readonly #handlers: BondHandlers = {
    onOrder: (order, fds) => this.#onOrder(order, fds),
    onOrphaned: (released) => this.#onOrphaned(released),
    onAdopted: () => this.#onAdopted(),
    belongings: () => this.#belongings(),
  };
  readonly #rolls = new Set<RollOutcome>();
  #bond: Bond | undefined;
  #state: HandoffState = 'starting';
  #readyCalled = false;
  /** Why this worker will never serve. */
  #failure: FdpassError | undefined;
  #left: Promise<void> | undefined;
  #resolveSuperseded: (receipt: Receipt) => void = () => {};
  #forgetHeir: () => void = () => {};
  /** Whoever waits for the primary to pass no more connections. */
  #dismissed: () => void = () => {};

  /** @throws ERR_HANDOFF_HOLDER_GONE: the primary is gone */
  static async begin(appointment: Appointment, settings: MemberSettings): Promise<Member> {
    outliveReaders();
    const member = new Member(appointment, settings);
    try {
      member.#bond = await Bond.open(appointment, member.#handlers, settings.timeouts.hello);
    } catch (error) {
      member.#vitals.end();
      throw error;
    }
    member.#departure.enroll();
    return member;
  }

  private constructor({ orphans }: Appointment, settings: MemberSettings) {
    this.#settings = settings;
    this.#orphans = orphans;
    this.#timeouts = { ...settings.timeouts };
    this.#departure = new Departure(this.#registry, settings.seam, this.#timeouts);
    this.#vitals = new VitalSigns({
      registry: this.#registry,
      health: settings.health,
      timeoutMs: settings.timeouts.ping,
    });
    this.#load = new LoadReport({ trySend: (...args) => this.#bond?.trySend(...args) }, () =>
      this.#openPassed(),
    );
    this.superseded = new Promise((resolve) => {
      this.#resolveSuperseded = resolve;
    });
  }

  get state(): HandoffState {
    return this.#state;
  }

  get worker(): number {
    return this.#bond?.worker ?? 0;
  }

  get generation(): number {
    return this.#bond?.generation ?? 0;
  }

  get listeners(): ListenerStatus[] {
    return this.#registry.status().map((listener) => ({ ...listener, inherited: true }));
  }

  /**
   * Asks the primary for the listener of that name. It does not start yet.
   * @throws as listen() of a Handoff; ERR_HANDOFF_HOLDER_GONE: the primary is gone
   */
  async claim<S extends Service>(name: string, { place, user, service }: Wish<S>): Promise<S> {
    this.requireOpen();
    this.#requireFree(name, user);
    this.#asked.add(name);
    try {
      const bond = this.#bond as Bond;
      const { fd, delivery, ticketKeys } = await bond.ask(name, place);
      try {
        this.requireOpen();
        const made = this.#registry.claim(name, {
          place: { matches: () => false, bind: () => ({ fd, name: undefined }) },
          ...(user === undefined ? {} : { user }),
          service: (lent) => service(lent, { delivery, ticketKeys, setRef: (ref) => bond.hold(place, ref) }),
        });
        this.#held.set(name, { name, place, delivery });
        if (user !== undefined) this.#vitals.watch(user);
        if (user !== undefined) this.#servers.set(name, user);
        if (made instanceof PassedService) this.#receive(name, made);
        return made;
      } catch (error) {
        fd.close();
        throw error;
      }
    } finally {
      this.#asked.delete(name);
    }
  }

  /** The program has closed that one itself. */
  forget(name: string): void {
    this.#held.delete(name);
    this.#passed.delete(name);
    this.#servers.delete(name);
    this.#registry.forget(name);
    this.#bond?.send({ type: 'unlisten', name }); // the primary may bind that place anew: our duplicate is closed
  }

  /** Listens on everything that was claimed and does not listen yet. */
  async start(): Promise<void> {
    await this.#registry.start();
  }

  async ready(): Promise<void> {
    this.requireOpen();
    if (this.#readyCalled) throw stateError('ready() was called already');
    this.#readyCalled = true;
    await this.#registry.start();
    this.requireOpen();
    this.#state = 'probation';
    this.#bond?.send({ type: 'ready' });
  }

  extend(ms: number): void {
    this.requireBoot('extend()');
    this.#bond?.send({ type: 'extend', ms });
  }

  async fail(reason: string): Promise<void> {
    if (this.#state !== 'probation')
      throw stateError(`a process that is ${this.#state} cannot be rolled back`);
    if (!this.#bond?.connected) throw alone();
    this.#bond.send({ type: 'fail', reason });
    this.#failure = new FdpassError('ERR_HANDOFF_ROLLED_BACK', `this worker has failed: ${reason}`);
    this.#state = 'closed';
    this.#settings.announce('rolledback', this.#failure);
    await this.#untilDismissed();
    this.#left = this.#drain().then(() => this.#departure.end(1));
  }

  /**
   * Asks for a roll of the pool, which replaces this worker, too. Resolves when this one has been replaced.
   * @throws ERR_HANDOFF_STATE; what the primary says of a roll that failed; ERR_HANDOFF_ALONE: there is no primary any more
   */
  async roll(signal?: AbortSignal): Promise<Receipt> {
    if (this.#state !== 'serving' && this.#state !== 'probation')
      throw stateError(`a process that is ${this.#state} cannot be upgraded`);
    if (!this.#bond?.connected) throw alone();
    const bond = this.#bond;
    return await new Promise((resolve, reject) => {
      const stop = onCancel({ signal }, 'upgrade()', (error) => settle(() => reject(error)));
      const settle = (how: () => void): void => {
        stop();
        this.#rolls.delete(outcome);
        how();
      };
      const outcome: RollOutcome = {
        resolve: (receipt) => settle(() => resolve(receipt)),
        reject: (error) => settle(() => reject(error)),
      };
      this.#rolls.add(outcome);
      bond.send({ type: 'roll' });
    });
  }

  /** Stops, lets the connections end, and lives on without the pool. */
  close(): Promise<void> {
    this.#left ??= this.#close();
    return this.#left;
  }

  /** @throws ERR_HANDOFF_STATE after ready(), with the name of what comes too late */
  requireBoot(what: string): void {
    this.requireOpen();
    if (this.#state !== 'starting' || this.#readyCalled) throw stateError(`${what} belongs before ready()`);
  }

  /** @throws ERR_FDPASS_CLOSED, or what has ended it; ERR_HANDOFF_STATE: it was told to stop */
  requireOpen(): void {
    if (this.#state === 'closed') throw this.#failure ?? closedError('Handoff');
    if (this.#state === 'superseded') throw stateError('this worker was told to stop');
  }

  #requireFree(name: string, user: net.Server | undefined): void {
    this.#registry.requireFree(name, user);
    if (!this.#asked.has(name)) return;
    throw new FdpassError(
      'ERR_HANDOFF_NAME_TAKEN',
      `there is a listener named ${name} already; give each its own name`,
    );
  }

  #onOrder(order: Order, fds: Fd[]): void {
    if (order.type === 'connections') {
      this.#deliver(order.listener, fds);
      return;
    }
    Fd.closeAll(fds);
    if (order.type === 'ping') void this.#answer(order.sequence);
    else if (order.type === 'confirmed') this.#confirm();
    else if (order.type === 'unrolled')
      this.#endRolls(new FdpassError(order.code as `ERR_${string}`, order.reason));
    else this.#onStop(order);
  }

  async #answer(sequence: number): Promise<void> {
    const vitals = await this.#vitals.read();
    this.#load.flush();
    this.#bond?.send({ type: 'pong', sequence, ...vitals });
  }

  #confirm(): void {
    if (this.#state !== 'probation') return;
    this.#state = 'serving';
    this.#settings.announce('confirmed');
  }

  #endRolls(outcome: Receipt | Error): void {
    for (const roll of [...this.#rolls]) {
      if (outcome instanceof Error) roll.reject(outcome);
      else roll.resolve(outcome);
    }
  }

  #receive(name: string, service: PassedService): void {
    this.#passed.set(name, service);
    service.user.on('connection', (socket: net.Socket) => {
      socket.once('close', () => this.#load.changed());
    });
  }

  #deliver(name: string, fds: Fd[]): void {
    const service = this.#passed.get(name);
    const server = this.#servers.get(name);
    if (service !== undefined) service.deliver(fds);
    else serveAll(server && handleOf(server), fds);
    this.#load.received(fds.length);
  }

  #openPassed(): number {
    return [...this.#passed.values()].reduce((sum, { open }) => sum + open, 0);
  }

  #onStop({ drainMs, receipt }: Stop): void {
    this.#dismissed();
    if (this.#left !== undefined) return;
    this.#timeouts.drain = drainMs;
    this.#left = this.#beSuperseded(receipt);
  }

  /** Nobody takes over where there is no receipt: the pool needs fewer workers, or ends. */
  async #beSuperseded(given: Receipt | undefined): Promise<void> {
    const receipt = given ?? this.#receiptWithoutHeir();
    this.#state = 'superseded';
    this.#endRolls(given ?? closedError('Handoff'));
    this.#settings.announce('superseded', receipt);
    const drain = await this.#drain();
    this.#resolveSuperseded({ ...receipt, drain });
    this.#departure.end(0);
  }

  async #close(): Promise<void> {
    this.#state = 'closed';
    this.#endRolls(closedError('Handoff'));
    this.#bond?.send({ type: 'leaving' });
    await this.#untilDismissed();
    await this.#drain();
    this.#departure.leave();
    this.#registry.release();
  }

  // The primary answers 'leaving' and 'fail' with 'stop', behind the last connection that it passes.
  async #untilDismissed(): Promise<void> {
    if (!this.#bond?.connected) return;
    await new Promise<void>((resolve) => {
      const disarm = this.#settings.seam.setTimer(this.#timeouts.commit, resolve, { hold: true });
      this.#dismissed = () => {
        disarm();
        resolve();
      };
    });
  }

  async #drain(): Promise<DrainCount & { ms: number }> {
    const { seam } = this.#settings;
    const since = seam.now();
    this.#registry.stop({ unlink: () => false });
    const count = { ...(await this.#departure.drain()), ms: seam.now() - since };
    this.#bond?.send({ type: 'bye', ...count });
    this.#bond?.close();
    this.#vitals.end();
    return count;
  }

  #onOrphaned(released: boolean): void {
    this.#dismissed();
    this.#endRolls(alone());
    if (this.#left !== undefined || this.#state === 'closed') return;
    if (this.#state === 'starting') {
      this.#giveUp(primaryGone());
      return;
    }
    if (this.#orphans === 'drain') {
      const { seam, timeouts } = this.#settings;
      this.#forgetHeir = seam.setTimer(released ? timeouts.hello : 0, () => this.#drainAlone(), {
        hold: true,
      });
    }
    for (const [name, service] of this.#passed) service.acceptItself(this.#registry.lend(name));
  }

  /** Its primary is gone, and nobody has come in its place. */
  #drainAlone(): void {
    this.#left ??= this.#beSuperseded(undefined);
  }

  #onAdopted(): void {
    this.#forgetHeir();
    for (const [name, service] of this.#passed) service.acceptNoMore(this.#registry.lend(name));
    this.#load.restart();
  }

  #belongings(): Belongings {
    const listeners = [...this.#held.values()];
    return {
      ready: this.#state === 'probation' || this.#state === 'serving',
      listeners,
      fds: listeners.map(({ name }) => this.#registry.lend(name)),
    };
  }

  #giveUp(failure: FdpassError): void {
    this.#failure = failure;
    this.#state = 'closed';
    this.#left = this.#drain().then(() => this.#departure.leave());
  }

  #receiptWithoutHeir(): Receipt {
    const { generation } = this;
    const pid = this.#bond?.primary ?? 0;
    return {
      pid,
      generation,
      predecessor: { pid: this.#settings.seam.pid, generation },
      startToReadyMs: 0,
      connectToReadyMs: 0,
      readyToStoppedMs: 0,
      overlapMs: 0,
      states: {},
      listeners: { inherited: [], bound: [], closed: [...this.#held.keys()] },
      accepted: { predecessor: this.#registry.accepted, successor: undefined },
      memory: { predecessor: this.#settings.seam.rssBytes(), successor: undefined },
    };
  }
}

function alone(): FdpassError {
  return new FdpassError('ERR_HANDOFF_ALONE', 'the primary of the pool is gone; this worker serves on');
}
