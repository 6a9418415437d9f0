// Handoff: the public face. Listens or inherits, gets ready, hands over, drains, goes.
import { randomBytes } from 'node:crypto';
import dgram from 'node:dgram';
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { closedError, FdpassError, hasCode, invalidArgType } from '../base/errors';
import { validateInteger, validateObject, validateTimeout } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';
import type { BindOptions } from '../names/bind-path';
import { isSupported } from '../native/binding';
import type { UnixDatagram } from '../sockets/datagram';
import type { SocketOptions } from '../sockets/message';
import { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import { HandoffBusyError } from './busy';
import type { ServiceStatus } from './command';
import { datagramPlace, type UdpOptions, udpPlace } from './datagram-place';
import { UdpService, UnixDatagramService } from './datagram-service';
import { Departure } from './departure';
import { type ListenerOptions, streamPlace } from './endpoint';
import { TXN_BYTES } from './frame';
import { Holding } from './holding';
import { CONTROL_OPTIONS, join, pauseBeforeRetry } from './join';
import { type HandoffOptions, type HandoffSettings, readOptions } from './options';
import {
  type Bye,
  CONTROL_NAME,
  type Figures,
  type GenerationStatus,
  type Hello,
  type ManifestEntry,
  type Offer,
  STATE_NAME,
} from './payloads';
import { PidFile } from './pid-file';
import { createPlainHandoff } from './plain-handoff';
import { checkHealth } from './probation';
import { type ProcessSeam, systemProcess, TXN_VARIABLE } from './process';
import { type Receipt, readReceipt } from './receipt';
import { type ListenerStatus, Registry } from './registry';
import { ServerService } from './service';
import { type HandedState, readState, type StateBlob, type StateSettings, writeState } from './state';
import { takeStderr } from './stderr';
import { Succession } from './succession';
import type { HandoffTimeouts } from './timeouts';
import type { Transaction } from './transaction';
import { Fate, runUpgrade, type UpgradeOptions } from './upgrade';

export interface HandoffEvents {
  superseded: [receipt: Receipt];
  aborted: [error: Error];
  rolledback: [error: Error];
  confirmed: [];
  settled: [receipt: Receipt];
}

/**
 * 'probation': it serves and its predecessor stands by. 'standby': its successor is on probation, and it accepts
 * nothing new unless that fails.
 */
export type HandoffState = 'starting' | 'probation' | 'serving' | 'standby' | 'superseded' | 'closed';

export interface HandoffStatus {
  name: string;
  pid: number;
  generation: number;
  state: HandoffState;
  listeners: ListenerStatus[];
}

/** A process without free descriptors tries again after this to accept again. */
const RESUME_RETRY_MS = 100;

/**
 * Finds out whether a process of that name serves already. If so its listeners are inherited; it serves on
 * until ready(). If not, this process is the first one. Other systems than Linux: it listens, and nothing is handed over.
 * @throws ERR_HANDOFF_BUSY (with pid, ageMs, state: another upgrade is in progress), ERR_HANDOFF_UNTRUSTED_PEER,
 * ERR_HANDOFF_REFUSED (we are not on its list), ERR_HANDOFF_UNSAFE_DIRECTORY, ERR_HANDOFF_VERSION, ERR_HANDOFF_BAD_STATE,
 * ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL, SystemError
 */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
  if (!isSupported) return createPlainHandoff(options);
  return await Handoff.create(options, systemProcess);
}

/**
 * Events: 'superseded' (Receipt): a successor has taken over for good, this process drains and then ends by itself.
 * 'rolledback' (Error): a switch was taken back. In the old process: it accepts again. In the new one: it has
 * stopped, drains and then ends by itself. 'aborted' (Error): somebody else's attempt to take over came to nothing;
 * this process never stopped. (What became of an upgrade() its promise tells, too.) 'confirmed': the probation of
 * this process is over, it owns the service and can be upgraded. 'settled' (Receipt): its predecessor has drained and
 * gone, or died.
 */
export class Handoff extends EventEmitter<HandoffEvents> implements AsyncDisposable {
  readonly name: string;
  /** 1 for the first process, one more for each successor. */
  readonly generation: number;
  /** Whom this process takes over from. */
  readonly predecessor: { pid: number; generation: number } | undefined;
  /** Resolves when a successor has taken over and all connections have ended: time to close the rest. The receipt is complete. */
  readonly superseded: Promise<Receipt>;

  readonly #allow: readonly number[];
  readonly #timeouts: HandoffTimeouts;
  readonly #seam: ProcessSeam;
  readonly #registry: Registry;
  readonly #restoreStderr: () => void;
  readonly #departure: Departure;
  readonly #stateSettings: StateSettings;
  readonly #pidFile: PidFile | undefined;
  #ignoreSignal: () => void = () => {};
  #state: HandoffState = 'starting';
  #succession: Succession | undefined;
  /** Why this process will never serve. */
  #failure: FdpassError | undefined;
  #holding: Holding | undefined;
  #control: Fd | undefined;
  /** The one whose successor is on probation. */
  #standby: Transaction | undefined;
  /** What the successor has inherited and uses; undefined: it did not say. */
  #inherited: readonly string[] | undefined;
  #upgrade: Fate | undefined;
  #readyCalled = false;
  #predecessorLeft = false;
  #receipt: Receipt | undefined;
  #handedState: HandedState | undefined;
  /** Makes the state for a successor, or, if that is optional, a warning. */
  #provider: ((optional: boolean) => StateBlob | undefined) | undefined;
  #stateBlob: StateBlob | undefined;
  /** Set once this process has given back what it had; resolves when it has drained. */
  #rolledBack: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #resolveSuperseded: (receipt: Receipt) => void = () => {};

  /** @internal Tests give a seam of their own. */
  static async create(options: HandoffOptions, seam: ProcessSeam): Promise<Handoff> {
    const settings: Settings = { ...readOptions(options), seam, registry: new Registry() };
    const txn = takeTxn(seam);
    const restoreStderr = takeStderr(seam);
    let deadline = Number.POSITIVE_INFINITY;
    for (;;) {
      const joined = await join({ ...settings, timeoutMs: settings.timeouts.hello });
      if ('server' in joined) {
        const handoff = new Handoff(settings, undefined, restoreStderr);
        handoff.#hold(joined.server, { unlink: true });
        handoff.#listenTo(settings.restartOn);
        return handoff;
      }
      // The hooks are called only after create() has returned, or for a failure that inherit() reports.
      const box: { handoff?: Handoff } = {};
      const succession = new Succession(joined.socket, txn, {
        ...settings,
        stateOptional: settings.state.onError === 'empty',
        accept: () => (box.handoff as Handoff).#open(),
        serve: () => (box.handoff as Handoff).#serve(),
        figures: () => (box.handoff as Handoff).#figures(),
        check: () => checkHealth(settings.health),
        own: (receipt) => (box.handoff as Handoff).#own(receipt),
        gone: (bye) => (box.handoff as Handoff).#predecessorGone(bye),
        fail: (error) =>
          box.handoff === undefined ? settings.registry.closeInherited() : box.handoff.#giveBack(error),
      });
      try {
        const offer = await succession.inherit();
        const handoff = new Handoff(settings, offer, restoreStderr);
        handoff.#handedState = readHandedState(settings, succession);
        box.handoff = handoff;
        handoff.#succession = succession;
        handoff.#listenTo(settings.restartOn);
        return handoff;
      } catch (error) {
        // It died before it gave us anything: whoever comes now, perhaps we, is the first one.
        if (!hasCode(error, 'ERR_HANDOFF_HOLDER_GONE')) throw error;
        // One that keeps hanging up is alive and does not want us.
        deadline = Math.min(deadline, seam.now() + settings.timeouts.hello);
        if (seam.now() >= deadline) throw turnedAway(settings, error);
        await pauseBeforeRetry();
      }
    }
  }

  private constructor(settings: Settings, offer: Offer | undefined, restoreStderr: () => void) {
    super();
    this.name = settings.name;
    this.generation = (offer?.generation ?? 0) + 1;
    this.predecessor = offer === undefined ? undefined : { pid: offer.pid, generation: offer.generation };
    this.#allow = settings.allow;
    this.#timeouts = settings.timeouts;
    this.#seam = settings.seam;
    this.#registry = settings.registry;
    this.#restoreStderr = restoreStderr;
    this.#stateSettings = settings.state;
    this.#pidFile =
      settings.pidFile === undefined ? undefined : new PidFile(settings.pidFile, settings.seam.pid);
    this.#departure = new Departure(settings.registry, settings.seam, settings.timeouts);
    this.superseded = new Promise((resolve) => {
      this.#resolveSuperseded = resolve;
    });
  }

  /** Of the upgrade that brought this process here; complete when its predecessor has gone ('settled'). */
  get receipt(): Receipt | undefined {
    return this.#receipt;
  }

  /** What the predecessor left with provideState(); undefined if there is nothing. */
  get state(): HandedState | undefined {
    return this.#handedState;
  }

  /**
   * Leaves a value to whoever succeeds this process. `get` is called once for each, when it has connected; this process
   * serves on meanwhile, so what changes until the switch is not in it. If it throws, or gives what cannot be cloned,
   * the upgrade ends with ERR_HANDOFF_BAD_STATE, unless the successor can do without a state.
   * @param version the program's own, for a successor that has moved on
   * @param get gives anything that v8.serialize() takes, no longer than `state.maxBytes`
   */
  provideState(version: number, get: () => unknown): void {
    validateInteger('version', version, 0, Number.MAX_SAFE_INTEGER);
    if (typeof get !== 'function') throw invalidArgType('get', 'a function', get);
    this.#requireOpen();
    const { maxBytes } = this.#stateSettings;
    this.#provider = (optional) => orWarn(optional, () => writeState(version, get, maxBytes));
  }

  /**
   * Gives `server` the predecessor's listener of that name, or binds a new one. Nothing is accepted, and
   * 'listening' is not emitted, before ready(): until then clients are the predecessor's.
   * @param server of net, tls, http, https or http2, which must not listen yet
   * @throws SystemError EADDRINUSE, EACCES, ...; ERR_HANDOFF_NAME_TAKEN; ERR_HANDOFF_STATE after ready()
   */
  async listen<S extends net.Server>(name: string, server: S, options: ListenerOptions): Promise<S> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    if (!(server instanceof net.Server))
      throw invalidArgType('server', 'a server of net, http, https or http2', server);
    if (server.listening)
      throw stateError('this server listens already; give it to listen() instead of calling its own');
    const place = await streamPlace(options);
    this.#requireBoot('listen()');
    const { backlog } = place;
    const farewell = options.drain;
    const service = (_: Fd, ticketKeys?: string) =>
      new ServerService(server, { backlog, ticketKeys, farewell });
    this.#registry.claim(name, { place, user: server, service });
    return server;
  }

  /**
   * A UDP socket: the predecessor's of that name, or a new one. It is bound, and reads, from ready() on; do not send()
   * before. Until the takeover is final both processes read, each datagram once; then the old socket is closed.
   * @throws as listen()
   */
  async bindUdp(name: string, options: UdpOptions): Promise<dgram.Socket> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    const place = udpPlace(options);
    this.#requireBoot('bindUdp()');
    const service = () => new UdpService(dgram.createSocket(options.type ?? 'udp4'));
    return this.#registry.claim(name, { place, service }).user;
  }

  /**
   * An AF_UNIX datagram socket: the predecessor's of that name, or a new one. It reads as soon as somebody listens for
   * 'message', receives or iterates: wait for ready() with that. Until the takeover is final both processes may read,
   * each message once; then the old socket is closed.
   * @throws as listen()
   */
  async bindDatagram(
    name: string,
    address: AddressLike,
    options: SocketOptions & Pick<BindOptions, 'mode'> = {},
  ): Promise<UnixDatagram> {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    validateObject('options', options);
    const place = datagramPlace(UnixAddress.from(address), options);
    this.#requireBoot('bindDatagram()');
    const service = (fd: Fd) => UnixDatagramService.adopt(fd, options);
    return this.#registry.claim(name, { place, service }).user;
  }

  /**
   * Hands anything else that is a descriptor over to whoever succeeds this process: a file, a pipe, a socket. What is
   * put there later under the same name replaces it.
   * @param from is lent: this process keeps a duplicate until it is superseded or closed
   * @throws ERR_HANDOFF_NAME_TAKEN, SystemError EBADF, EMFILE
   */
  put(name: string, from: FdLike): void {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#requireOpen();
    if (this.#state === 'superseded') throw stateError('this process has been superseded');
    this.#registry.put(name, Fd.dup(from));
  }

  /**
   * What the predecessor has put there; the caller owns it, and puts it again for the next one. What nobody has taken
   * is closed at ready().
   * @throws ERR_HANDOFF_STATE after ready()
   */
  take(name: string): Fd | undefined {
    if (typeof name !== 'string') throw invalidArgType('name', 'a string', name);
    this.#requireBoot('take()');
    return this.#registry.take(name);
  }

  /**
   * This process needs longer to boot: whoever waits for its ready() goes on doing so for `ms` more from now, instead of
   * the rest of `timeouts.warm`. May be called again. Does nothing where nobody waits.
   * @param ms milliseconds
   * @throws ERR_HANDOFF_STATE after ready()
   */
  extend(ms: number): void {
    validateTimeout('ms', ms);
    this.#requireBoot('extend()');
    this.#succession?.extend(ms);
  }

  /**
   * This process is able to serve. Resolves when it accepts on every listener and the predecessor, if there is
   * one, has stopped accepting; from there it is on probation. Inherited listeners that nobody claimed are closed.
   * @throws ERR_HANDOFF_ABORTED, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL: the predecessor serves on, and this
   * process has given everything back; it should exit
   */
  async ready(): Promise<void> {
    this.#requireOpen();
    if (this.#readyCalled) throw stateError('ready() was called already');
    this.#readyCalled = true;
    if (this.#succession !== undefined) {
      await this.#succession.ready();
      return;
    }
    await this.#registry.start();
    this.#requireOpen();
    this.#own(undefined);
  }

  /**
   * Gives the service back, on probation: too many errors, a dependency that is missing. Resolves when the
   * predecessor accepts again; this process stops, lets its connections end and then ends by itself.
   * @throws ERR_HANDOFF_STATE unless this process is on probation; ERR_HANDOFF_ALONE: the predecessor is gone, this
   * process serves on; ERR_HANDOFF_TIMEOUT: it is silent, this process serves until it answers
   */
  async fail(reason: string): Promise<void> {
    if (typeof reason !== 'string') throw invalidArgType('reason', 'a string', reason);
    if (this.#state !== 'probation')
      throw stateError(`a process that is ${this.#state} cannot be rolled back`);
    await (this.#succession as Succession).giveBack(reason);
  }

  /**
   * Starts a successor and waits until it has taken over for good, its probation included.
   * @throws UpgradeError with the reason and the end of the successor's stderr: this process serves on. It has never
   * stopped, or, if the code is ERR_HANDOFF_ROLLED_BACK, serves again. ERR_HANDOFF_BUSY, ERR_HANDOFF_STATE: nothing was started.
   */
  async upgrade(options: UpgradeOptions = {}): Promise<Receipt> {
    if (this.#state !== 'serving') throw stateError(`a process that is ${this.#state} cannot be upgraded`);
    const holding = this.#holding as Holding;
    const busy = holding.busy();
    if (busy !== undefined) throw new HandoffBusyError(busy);
    const fate = new Fate();
    this.#upgrade = fate;
    try {
      const reserve = (txn: string, pid: number) => holding.reserve(txn, pid);
      return await runUpgrade(options, { seam: this.#seam, timeouts: this.#timeouts, fate, reserve });
    } finally {
      // One that was rolled back waits for the successor's last words, and the next one may be under way.
      if (this.#upgrade === fate) this.#upgrade = undefined;
    }
  }

  status(): HandoffStatus {
    return {
      name: this.name,
      pid: this.#seam.pid,
      generation: this.generation,
      state: this.#state,
      listeners: this.#registry.status(),
    };
  }

  /**
   * The end of the service, for SIGTERM: stops accepting, removes what is ours, lets the connections end within
   * `timeouts.drain`. A successor that boots is called off. Of a superseded process it is the wait for its drain.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#pidFile?.remove();
      this.#ignoreSignal();
    });
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#state === 'standby') await this.#leaveStandby();
    // A predecessor that still can serves on, or again: whoever ends a process on probation wants the old one.
    if (this.#predecessorServes) await this.#succession?.giveBack('the successor was closed').catch(() => {});
    if (this.#state === 'superseded') {
      await this.superseded;
      return;
    }
    if (this.#rolledBack !== undefined) {
      await this.#rolledBack;
      return;
    }
    const owner = !this.#predecessorServes; // else it is only silent, and will be back
    this.#state = 'closed';
    this.#upgrade?.reject(closedError('Handoff')); // the successor is called off and killed
    this.#dropState();
    const released = owner ? this.#holding?.close('the process was closed') : this.#holding?.handOver();
    this.#control?.close(); // not after the drain: an abstract address is taken as long as this is open
    await released;
    const { inherited } = this.#registry;
    this.#registry.stop({ unlink: (name) => owner || !inherited.includes(name) });
    this.#registry.closeInherited();
    await this.#departure.drain();
  }

  /** The successor gets the service for good; if it dies at that very moment, this process has it again. */
  async #leaveStandby(): Promise<void> {
    const settled = new Promise<void>((resolve) => {
      this.once('superseded', () => resolve());
      this.once('rolledback', () => resolve());
    });
    this.#standby?.settle();
    await settled;
  }

  /** There is one, and it has not given the service up. */
  get #predecessorServes(): boolean {
    return this.#succession !== undefined && (this.#state === 'starting' || this.#state === 'probation');
  }

  #requireBoot(what: string): void {
    this.#requireOpen();
    if (this.#state !== 'starting' || this.#readyCalled) throw stateError(`${what} belongs before ready()`);
  }

  #requireOpen(): void {
    if (this.#state === 'closed') throw this.#failure ?? closedError('Handoff');
  }

  /** A signal that comes too early, or too late, shall not end the process either. */
  #listenTo(signal: NodeJS.Signals | undefined): void {
    if (signal === undefined) return;
    this.#ignoreSignal = this.#seam.onSignal(signal, () => {
      this.upgrade().catch((error: Error) => process.emitWarning(error));
    });
  }

  /** Takes the server over; closed when this fails. */
  #hold(server: UnixSeqpacketServer, ifItFails: { unlink: boolean }): void {
    try {
      this.#control = Fd.dup(server); // for handing it over; the server works on its own
    } catch (error) {
      void server.close(ifItFails);
      throw error;
    }
    this.#holding = new Holding(server, {
      seam: this.#seam,
      timeouts: this.#timeouts,
      generation: this.generation,
      allow: this.#allow,
      commands: {
        restart: () => this.upgrade(),
        status: () => this.#serviceStatus(),
        giveBack: (reason) => (this.#predecessorServes ? this.#succession?.giveBack(reason) : undefined),
      },
      notServing: () => this.#notServing(),
      manifest: (version, hello) => this.#manifest(version, hello),
      lend: (name) => this.#lend(name),
      accepted: () => this.#registry.accepted,
      generations: () => this.#generations(),
      extended: (ms) => this.#upgrade?.extend(ms),
      ready: () => {
        this.#dropState(); // the successor has it
        this.#upgrade?.ready();
      },
      pause: (inherited, transaction) => {
        this.#registry.pause(inherited);
        this.#standby = transaction;
        this.#inherited = inherited;
        this.#state = 'standby';
      },
      resume: () => {
        this.#standby = undefined;
        this.#state = 'serving';
        this.#holding?.vouch();
        this.#resume();
      },
      superseded: (receipt, transaction) => void this.#leave(receipt, transaction),
      hurry: (behind) => {
        this.#succession?.hurry(behind + 1);
        this.#departure.hurry(behind);
      },
      aborted: (error, rolledBack) => {
        this.#dropState();
        this.#upgrade?.reject(error);
        if (rolledBack) this.#pidFile?.write(); // a successor that died behind FINAL has put its own there
        if (rolledBack) this.#announce('rolledback', error);
        else if (this.#upgrade === undefined) this.#announce('aborted', error);
      },
      refused: (error) => this.#announce('aborted', error),
    });
  }

  #manifest(version: number, { stateOptional }: Hello): ManifestEntry[] {
    this.#dropState();
    if (version > 1) this.#stateBlob = this.#provider?.(stateOptional);
    return this.#registry.manifest({ control: this.#control as Fd, state: this.#stateBlob }, version);
  }

  #lend(name: string): Fd {
    if (name === CONTROL_NAME) return this.#control as Fd;
    if (name === STATE_NAME && this.#stateBlob !== undefined) return this.#stateBlob.fd;
    return this.#registry.lend(name);
  }

  /** It was for one successor, and is old soon. */
  #dropState(): void {
    this.#stateBlob?.fd.close();
    this.#stateBlob = undefined;
  }

  #serviceStatus(): ServiceStatus {
    const successor = this.#holding?.successor;
    const generations = [...(successor === undefined ? [] : [successor]), ...this.#generations()];
    return { ...this.status(), ...this.#figures(), generations };
  }

  #figures(): Required<Figures> {
    const listeners = this.#registry.status();
    const connections = listeners.reduce((sum, listener) => sum + listener.connections, 0);
    return { ageMs: this.#seam.uptimeMs(), connections, rssBytes: this.#seam.rssBytes() };
  }

  /** This process and those before it. */
  #generations(): GenerationStatus[] {
    const { generation, predecessor } = this;
    const state = this.#state === 'superseded' ? 'draining' : this.#state;
    const self = { generation, pid: this.#seam.pid, state, ...this.#figures() };
    if (predecessor === undefined || this.#predecessorLeft) return [self];
    const [before, ...others] = this.#succession?.generations ?? [];
    return [self, { ...before, ...predecessor, state: this.#predecessorState }, ...others];
  }

  get #predecessorState(): 'serving' | 'standby' | 'draining' {
    if (this.#state === 'starting') return 'serving';
    return this.#state === 'probation' ? 'standby' : 'draining';
  }

  #notServing(): 'booting' | 'probation' | undefined {
    if (this.#state === 'probation') return 'probation';
    return this.#state === 'serving' ? undefined : 'booting';
  }

  // Everything that can fail for want of a descriptor comes before the predecessor stops. Whoever connects to
  // the control socket meanwhile is told by both of us that somebody is busy.
  async #open(): Promise<void> {
    await this.#registry.start();
    const control = this.#registry.takeControl();
    this.#registry.closeInherited();
    if (control === undefined) return;
    try {
      this.#hold(UnixSeqpacketServer.adopt(control, { ...CONTROL_OPTIONS, holdName: true }), {
        unlink: false,
      });
    } finally {
      control.close(); // adopt() has consumed it, or failed
    }
  }

  // A listener that cannot be opened for want of a descriptor is tried again, as long as it takes.
  #resume(): void {
    if (this.#state !== 'serving' || this.#registry.resume()) return;
    this.#seam.setTimer(RESUME_RETRY_MS, () => this.#resume());
  }

  #serve(): void {
    this.#state = 'probation';
  }

  // Every listener accepts and the predecessor, if there was one, is out of the way. Must not fail.
  #own(receipt: unknown): void {
    this.#state = 'serving';
    this.#receipt = readReceipt(receipt);
    if (this.#receipt !== undefined) this.#receipt.accepted.successor = this.#registry.accepted;
    this.#registry.own();
    this.#holding?.vouch();
    this.#restoreStderr();
    this.#pidFile?.write();
    this.#announce('confirmed');
  }

  #predecessorGone(bye: Bye | undefined): void {
    this.#predecessorLeft = true;
    if (this.#receipt === undefined) return;
    this.#receipt.drain = bye ?? 'died';
    this.#announce('settled', this.#receipt);
  }

  // The predecessor serves on: nothing of its may stay open here. Whom we accepted already is answered.
  #giveBack(failure: FdpassError): void {
    const served = hasCode(failure, 'ERR_HANDOFF_ROLLED_BACK');
    this.#state = 'closed';
    this.#failure = failure;
    this.#succession = undefined;
    this.#holding?.handOver();
    this.#control?.close();
    this.#registry.closeInherited();
    const { inherited } = this.#registry;
    this.#registry.stop({ unlink: (name) => !inherited.includes(name) });
    this.#rolledBack = this.#departure.drain().then(() => {
      if (served) this.#departure.end(1);
    });
    if (served) this.#announce('rolledback', failure);
  }

  async #leave(receipt: Receipt, transaction: Transaction): Promise<void> {
    this.#state = 'superseded';
    this.#holding?.handOver();
    this.#registry.stop({ unlink: (name) => this.#inherited?.includes(name) === false });
    this.#succession?.hurry(1); // our own predecessor may still drain
    this.#upgrade?.resolve(receipt);
    this.#announce('superseded', receipt);
    this.#control?.close();
    const drain = transaction.drained(await this.#departure.drain());
    this.#resolveSuperseded({ ...receipt, drain });
    this.#departure.end(0);
  }

  // Later: a listener may throw, and what runs this step of the machine has more to do.
  #announce<E extends keyof HandoffEvents>(event: E, ...args: HandoffEvents[E]): void {
    process.nextTick(() => this.emit(event as keyof HandoffEvents, ...(args as never)));
  }
}

interface Settings extends HandoffSettings {
  seam: ProcessSeam;
  registry: Registry;
}

/** The transaction that upgrade() has started this process for, or one of our own. Nothing that we start sees it. */
function takeTxn(seam: ProcessSeam): string {
  const given = seam.env[TXN_VARIABLE];
  delete seam.env[TXN_VARIABLE];
  return given !== undefined && /^[0-9a-f]{32}$/.test(given) ? given : randomBytes(TXN_BYTES).toString('hex');
}

/** Before anything else can go wrong: the predecessor serves on. @throws ERR_HANDOFF_BAD_STATE */
function readHandedState({ registry, state }: Settings, succession: Succession): HandedState | undefined {
  const blob = registry.takeState();
  if (blob === undefined) return undefined;
  try {
    return orWarn(state.onError === 'empty', () => readState(blob, state.maxBytes));
  } catch (error) {
    succession.giveUp((error as Error).message);
    throw error;
  } finally {
    blob.fd.close();
  }
}

/** What is optional and fails is undefined, and told as a process warning. */
function orWarn<T>(optional: boolean, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!optional) throw error;
    process.emitWarning(error as Error);
    return undefined;
  }
}

function turnedAway({ address, timeouts }: Settings, cause: unknown): FdpassError {
  const text = `whoever listens on ${address} has hung up on us for ${timeouts.hello} ms; does it allow this user?`;
  return new FdpassError('ERR_HANDOFF_TIMEOUT', text, { cause });
}

function stateError(message: string): FdpassError {
  return new FdpassError('ERR_HANDOFF_STATE', message);
}
