// Tenure: the life of one process as a generation of its service. It begins alone or as a successor, serves, stands by,
// and hands over, gives back or closes.

import { closedError, type FdpassError, hasCode } from '../base/errors';
import { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import { Account, type Standing } from './account';
import { Bequest } from './bequest';
import { HandoffBusyError } from './busy';
import { Departure } from './departure';
import { Holding, type NotServing } from './holding';
import { CONTROL_OPTIONS, join, pauseBeforeRetry, turnedAway } from './join';
import type { HandoffSettings } from './options';
import type { Busy, Bye, Hello, Offer } from './payloads';
import { PidFile } from './pid-file';
import type { PoolHooks } from './pool-commands';
import { checkHealth } from './probation';
import { type ProcessSeam, takeTxn } from './process';
import { type Receipt, readReceipt } from './receipt';
import type { Registry } from './registry';
import { type HandedState, orWarn, readState } from './state';
import { stateError } from './state-error';
import type { HandoffEvents, HandoffState } from './status';
import { takeStderr } from './stderr';
import { Succession } from './succession';
import type { Transaction } from './transaction';
import { Fate, runUpgrade, UpgradeError, type UpgradeOptions } from './upgrade';

export interface TenureContext {
  settings: HandoffSettings;
  seam: ProcessSeam;
  registry: Registry;
  /** What this process does for its workers; undefined: it is no pool. */
  pool?: PoolHooks | undefined;
  /** Must not call back before it has returned. */
  announce<E extends keyof HandoffEvents>(event: E, ...args: HandoffEvents[E]): void;
}

/** A process without free descriptors tries again after this to accept again. */
const RESUME_RETRY_MS = 100;

export class Tenure {
  /** Resolves when this process has been superseded and has drained. */
  readonly superseded: Promise<Receipt>;
  readonly #settings: HandoffSettings;
  readonly #seam: ProcessSeam;
  readonly #registry: Registry;
  readonly #announce: TenureContext['announce'];
  readonly #pool: PoolHooks | undefined;
  readonly #account: Account;
  readonly #bequest: Bequest;
  readonly #departure: Departure;
  readonly #pidFile: PidFile | undefined;
  #restoreStderr: () => void = () => {};
  #ignoreSignal: () => void = () => {};
  #state: HandoffState = 'starting';
  /** Of what this process was offered. */
  #offer: Offer | undefined;
  #succession: Succession | undefined;
  /** Why this process will never serve. */
  #failure: FdpassError | undefined;
  #holding: Holding | undefined;
  /** The one whose successor is on probation. */
  #standby: Transaction | undefined;
  /** Whoever waits for the end of the standby. */
  #decided: () => void = () => {};
  /** What the successor has inherited and uses; undefined: it did not say. */
  #inherited: readonly string[] | undefined;
  #upgrade: Fate | undefined;
  #readyCalled = false;
  readonly #txn: string;
  readonly #wasStarted: boolean;
  #predecessorLeft = false;
  #receipt: Receipt | undefined;
  #handedState: HandedState | undefined;
  /** Set once this process has given back what it had; resolves when it has drained. */
  #rolledBack: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  #resolveSuperseded: (receipt: Receipt) => void = () => {};

  constructor({ settings, seam, registry, announce, pool }: TenureContext) {
    this.#settings = settings;
    this.#seam = seam;
    this.#registry = registry;
    this.#announce = announce;
    this.#pool = pool;
    this.#account = new Account(seam, registry);
    this.#bequest = new Bequest(registry, settings.state.maxBytes);
    this.#departure = new Departure(registry, seam, settings.timeouts);
    this.#pidFile = settings.pidFile === undefined ? undefined : new PidFile(settings.pidFile, seam.pid);
    const { txn, given } = takeTxn(seam, settings.name);
    this.#txn = txn;
    this.#wasStarted = given;
    this.superseded = new Promise((resolve) => {
      this.#resolveSuperseded = resolve;
    });
  }

  /** By its predecessor's upgrade(), which hears what becomes of this process. */
  get wasStarted(): boolean {
    return this.#wasStarted;
  }

  get pid(): number {
    return this.#seam.pid;
  }

  get generation(): number {
    return (this.#offer?.generation ?? 0) + 1;
  }

  get predecessor(): { pid: number; generation: number } | undefined {
    return this.#offer && { pid: this.#offer.pid, generation: this.#offer.generation };
  }

  get state(): HandoffState {
    return this.#state;
  }

  get receipt(): Receipt | undefined {
    return this.#receipt;
  }

  get handedState(): HandedState | undefined {
    return this.#handedState;
  }

  /** Alone, or with everything that the predecessor has. Called once. */
  async begin(): Promise<void> {
    const settings = this.#settings;
    this.#restoreStderr = takeStderr(this.#seam);
    let deadline = Number.POSITIVE_INFINITY;
    for (;;) {
      const joined = await join({ ...settings, timeoutMs: settings.timeouts.hello });
      if ('server' in joined) {
        this.#hold(joined.server, { unlink: true });
        break;
      }
      const succession = this.#succeed(joined.socket, this.#txn);
      try {
        const offer = await succession.inherit();
        this.#handedState = this.#readState(succession);
        this.#offer = offer;
        this.#succession = succession;
        break;
      } catch (error) {
        // It died before it gave us anything: whoever comes now, perhaps we, is the first one.
        if (!hasCode(error, 'ERR_HANDOFF_HOLDER_GONE')) throw error;
        // One that keeps hanging up is alive and does not want us.
        deadline = Math.min(deadline, this.#seam.now() + settings.timeouts.hello);
        if (this.#seam.now() >= deadline) throw turnedAway(settings, error);
        await pauseBeforeRetry();
      }
    }
    this.#departure.enroll();
    this.#listenTo(settings.restartOn);
  }

  // Only `fail` is called before begin() is over, and then it has nothing to give back but descriptors.
  #succeed(socket: ConstructorParameters<typeof Succession>[0], txn: string): Succession {
    const { timeouts, probation, health, state } = this.#settings;
    return new Succession(socket, txn, {
      seam: this.#seam,
      timeouts,
      registry: this.#registry,
      probation,
      stateOptional: state.onError === 'empty',
      pool: this.#pool !== undefined,
      accept: () => this.#open(),
      serve: () => {
        this.#state = 'probation';
      },
      figures: () => this.#account.figures(),
      parted: () => this.#restoreStderr(), // else it leads to a process that may be dead
      check: () => checkHealth(health),
      own: (receipt) => this.#own(receipt),
      gone: (bye) => this.#predecessorGone(bye),
      fail: (error) => {
        if (this.#succession === undefined) this.#registry.closeInherited();
        else this.#giveBack(error);
      },
    });
  }

  /** Before anything else can go wrong: the predecessor serves on. @throws ERR_HANDOFF_BAD_STATE */
  #readState(succession: Succession): HandedState | undefined {
    const blob = this.#registry.takeState();
    if (blob === undefined) return undefined;
    const { onError, maxBytes } = this.#settings.state;
    try {
      return orWarn(onError === 'empty', () => readState(blob, maxBytes));
    } catch (error) {
      succession.giveUp((error as Error).message);
      throw error;
    } finally {
      blob.fd.close();
    }
  }

  provideState(version: number, get: () => unknown): void {
    this.#requireOpen();
    this.#bequest.provideState(version, get);
  }

  extend(ms: number): void {
    this.requireBoot('extend()');
    this.#succession?.extend(ms);
  }

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

  async fail(reason: string): Promise<void> {
    if (this.#state !== 'probation')
      throw stateError(`a process that is ${this.#state} cannot be rolled back`);
    await (this.#succession as Succession).giveBack(reason);
  }

  async upgrade(options: UpgradeOptions = {}): Promise<Receipt> {
    const { holding } = this.#requireService();
    const busy = holding.busy();
    if (busy !== undefined) throw new HandoffBusyError(busy);
    if (this.#bequest.isBeingMade)
      throw stateError('provideState() is called for a process that takes over just now');
    const fate = new Fate();
    this.#upgrade = fate;
    try {
      const { timeouts, name: service } = this.#settings;
      const reserve = (txn: string, pid: number) => holding.reserve(txn, pid);
      return await runUpgrade(options, { seam: this.#seam, service, timeouts, fate, reserve });
    } catch (error) {
      // A wrong argument is no upgrade that failed.
      if (!(error instanceof TypeError)) this.#account.note(error as Error);
      throw error;
    } finally {
      // One that was rolled back waits for the successor's last words, and the next one may be under way.
      if (this.#upgrade === fate) this.#upgrade = undefined;
    }
  }

  /** For `fdpass status`: something has failed that was no upgrade. */
  noteFailure(error: Error): void {
    this.#account.note(error);
  }

  close(): Promise<void> {
    this.#closing ??= this.#close().finally(() => {
      this.#pidFile?.remove();
      this.#ignoreSignal();
      this.#departure.leave();
      if (this.#state === 'closed') this.#registry.release();
    });
    return this.#closing;
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
    this.#bequest.dropState();
    const released = owner ? this.#holding?.close('the process was closed') : this.#holding?.handOver();
    this.#bequest.close(); // not after the drain
    await released;
    const { inherited } = this.#registry;
    this.#registry.stop({ unlink: (name) => owner || !inherited.includes(name) });
    this.#registry.closeInherited();
    await this.#departure.drain();
  }

  /** The successor gets the service for good; if it dies at that very moment, this process has it again. */
  async #leaveStandby(): Promise<void> {
    const decided = new Promise<void>((resolve) => {
      this.#decided = resolve;
    });
    this.#standby?.settle();
    await decided;
  }

  /** There is one, and it has not given the service up. */
  get #predecessorServes(): boolean {
    return this.#succession !== undefined && (this.#state === 'starting' || this.#state === 'probation');
  }

  /** Who is taking over, or why nobody can. */
  get busy(): Busy | undefined {
    return this.#holding?.busy();
  }

  /** @throws ERR_HANDOFF_STATE after ready(), with the name of what comes too late */
  requireBoot(what: string): void {
    this.#requireOpen();
    if (this.#state !== 'starting' || this.#readyCalled) throw stateError(`${what} belongs before ready()`);
  }

  /** @throws ERR_HANDOFF_STATE unless this process has part in the service */
  #requireService(): { holding: Holding } {
    const serves = ['serving', 'standby', 'probation'].includes(this.#state);
    if (serves && this.#holding !== undefined) return { holding: this.#holding };
    throw stateError(`a process that is ${this.#state} cannot be upgraded`);
  }

  /** @throws ERR_HANDOFF_STATE when there is nobody to hand anything to any more */
  requireHolder(): void {
    this.#requireOpen();
    if (this.#state === 'superseded') throw stateError('this process has been superseded');
  }

  #requireOpen(): void {
    if (this.#state === 'closed') throw this.#failure ?? closedError('Handoff');
  }

  /** A signal that comes too early, or too late, shall not end the process either. */
  #listenTo(signal: NodeJS.Signals | undefined): void {
    if (signal === undefined) return;
    this.#ignoreSignal = this.#seam.onSignal(signal, () => void this.#upgradeAs(signal).catch(() => {}));
  }

  /** The program has not asked for it, so that nothing in it hears of a failure: that is a warning. */
  async #upgradeAs(asked: string): Promise<Receipt> {
    try {
      return await this.upgrade();
    } catch (error) {
      if (!hasCode(error, 'ERR_HANDOFF_ROLLED_BACK')) {
        // else 'rolledback' tells
        const warning = error instanceof UpgradeError ? error.withoutStderr() : (error as Error);
        process.emitWarning(warning, { detail: `the upgrade was asked for by ${asked}` });
      }
      throw error;
    }
  }

  /** Takes the server over; closed when this fails. */
  #hold(server: UnixSeqpacketServer, ifItFails: { unlink: boolean }): void {
    try {
      this.#bequest.hold(server);
    } catch (error) {
      void server.close(ifItFails);
      throw error;
    }
    this.#holding = new Holding(server, {
      seam: this.#seam,
      timeouts: this.#settings.timeouts,
      generation: this.generation,
      allow: this.#settings.allow,
      commands: {
        restart: () => this.#upgradeAs('a command'),
        status: () => this.#account.status(this.#standing),
        giveBack: (reason) => (this.#predecessorServes ? this.#succession?.giveBack(reason) : undefined),
        pool: this.#pool,
      },
      notServing: () => this.#notServing(),
      manifest: (version, hello) => {
        this.#requireSameKind(hello);
        return this.#bequest.manifest(version, hello);
      },
      lend: (name) => this.#bequest.lend(name),
      accepted: () => this.#registry.accepted,
      generations: () => this.#account.generations(this.#standing),
      extended: (ms) => this.#upgrade?.extend(ms),
      ready: () => {
        this.#bequest.dropState(); // the successor has it
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
        this.#decided();
        this.#holding?.vouch();
        this.#resume();
      },
      superseded: (receipt, transaction) => void this.#leave(receipt, transaction),
      hurry: (behind) => {
        this.#succession?.hurry(behind + 1);
        this.#departure.hurry(behind);
      },
      aborted: (error, rolledBack) => {
        this.#bequest.dropState();
        this.#upgrade?.reject(error);
        if (rolledBack) this.#pidFile?.write(); // a successor that died behind FINAL has put its own there
        if (this.#upgrade === undefined) this.#account.note(error);
        if (rolledBack) this.#announce('rolledback', error);
        else if (this.#upgrade === undefined) this.#announce('aborted', error);
      },
      refused: (error) => this.#announce('aborted', error),
    });
  }

  /** A program may run alone and as a pool: under one name at a time. */
  #requireSameKind({ pool }: Hello): void {
    if ((pool === true) === (this.#pool !== undefined)) return;
    const [is, isNot] = pool ? ['no pool', 'is one'] : ['a pool', 'is none'];
    throw new Error(
      `${this.#settings.name} is ${is} here (process ${this.pid}), and the successor ${isNot}: give it another name, or end this one first`,
    );
  }

  get #standing(): Standing {
    return {
      name: this.#settings.name,
      generation: this.generation,
      state: this.#state,
      predecessor: this.#predecessorLeft ? undefined : this.predecessor,
      heard: this.#succession?.generations ?? [],
      successor: this.#holding?.successor,
    };
  }

  #notServing(): NotServing | undefined {
    if (this.#state === 'probation') return 'probation';
    return this.#state === 'serving' ? this.#pool?.changing() : 'booting';
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
    this.#bequest.close();
    this.#registry.closeInherited();
    const { inherited } = this.#registry;
    this.#registry.stop({ unlink: (name) => !inherited.includes(name) });
    this.#rolledBack = this.#departure.drain().then(() => {
      if (served) this.#departure.end(1);
      else this.#departure.leave();
    });
    if (served) this.#announce('rolledback', failure);
  }

  async #leave(receipt: Receipt, transaction: Transaction): Promise<void> {
    this.#state = 'superseded';
    this.#decided();
    this.#holding?.handOver();
    this.#registry.stop({ unlink: (name) => this.#inherited?.includes(name) === false });
    this.#succession?.hurry(1); // our own predecessor may still drain
    this.#upgrade?.resolve(receipt);
    this.#announce('superseded', receipt);
    this.#bequest.close();
    const drain = transaction.drained(await this.#departure.drain());
    this.#resolveSuperseded({ ...receipt, drain });
    this.#departure.end(0);
  }
}
