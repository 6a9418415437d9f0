// Handoff: the public face. Listens or inherits, gets ready, hands over, drains, goes.
import { randomBytes } from 'node:crypto';
import { EventEmitter } from 'node:events';
import net from 'node:net';
import { closedError, FdpassError, hasCode, invalidArgType } from '../base/errors';
import { validateInteger, validateObject } from '../base/validate';
import type { AddressLike, UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import { UnixSeqpacketServer } from '../sockets/seqpacket-server';
import { HandoffBusyError } from './busy';
import { controlAddress, validateHandoffName } from './control-address';
import { type ListenerOptions, readEndpoint } from './endpoint';
import { TXN_BYTES } from './frame';
import { Holding } from './holding';
import { CONTROL_OPTIONS, join, pauseBeforeRetry } from './join';
import { type Bye, CONTROL_NAME, type Offer, type Probation } from './payloads';
import { checkHealth, type ProbationOptions, validateProbation } from './probation';
import { type ProcessSeam, systemProcess, TXN_VARIABLE } from './process';
import { type Receipt, readReceipt } from './receipt';
import { type ListenerStatus, Registry } from './registry';
import { takeStderr } from './stderr';
import { Succession } from './succession';
import { type HandoffTimeouts, validateTimeouts } from './timeouts';
import type { Transaction } from './transaction';
import { runUpgrade, type UpgradeOptions } from './upgrade';

export interface HandoffOptions {
  /** Names the service on this machine: processes with one name and one user replace each other. */
  name: string;
  /** Where they meet. Default: a socket file in a directory of this user. '@name' needs no file system. */
  address?: AddressLike;
  /** Further user ids that may take over from this process, or hand over to it. Root and our own always may. */
  allow?: readonly number[];
  timeouts?: Partial<HandoffTimeouts>;
  /** How this process proves itself when it has taken over. Default: 10 seconds, without a health check. */
  probation?: ProbationOptions;
}

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

/** Processes of one name that may be alive at a time: one serves, the others drain. */
const MAX_GENERATIONS = 3;

/**
 * Finds out whether a process of that name serves already. If so its listeners are inherited; it serves on
 * until ready(). If not, this process is the first one.
 * @throws ERR_HANDOFF_BUSY (with pid, ageMs, state: another upgrade is in progress), ERR_HANDOFF_UNTRUSTED_PEER,
 * ERR_HANDOFF_UNSAFE_DIRECTORY, ERR_HANDOFF_VERSION, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL, SystemError
 */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
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
  #upgrade: { ready(): void; resolve(receipt: Receipt): void; reject(error: Error): void } | undefined;
  #readyCalled = false;
  #receipt: Receipt | undefined;
  /** Set once this process has given back what it had; resolves when it has drained. */
  #rolledBack: Promise<void> | undefined;
  #closing: Promise<void> | undefined;
  /** The time limits of the drain. */
  readonly #cuts = new Set<() => void>();
  #resolveSuperseded: (receipt: Receipt) => void = () => {};

  /** @internal Tests give a seam of their own. */
  static async create(options: HandoffOptions, seam: ProcessSeam): Promise<Handoff> {
    validateObject('options', options);
    const { allow = [], address } = options;
    if (!Array.isArray(allow)) throw invalidArgType('options.allow', 'an array of user ids', allow);
    for (const uid of allow) validateInteger('options.allow[]', uid, 0, 2 ** 32 - 2);
    const settings: Settings = {
      name: validateHandoffName(options.name),
      allow,
      timeouts: validateTimeouts(options.timeouts),
      probation: validateProbation(options.probation),
      health: options.probation?.health,
      address: controlAddress(options.name, address),
      seam,
      registry: new Registry(),
    };
    const txn = takeTxn(seam);
    const restoreStderr = takeStderr(seam);
    let deadline = Number.POSITIVE_INFINITY;
    for (;;) {
      const joined = await join({ ...settings, timeoutMs: settings.timeouts.hello });
      if ('server' in joined) {
        const handoff = new Handoff(settings, undefined, restoreStderr);
        handoff.#hold(joined.server, { unlink: true });
        return handoff;
      }
      // The hooks are called only after create() has returned, or for a failure that inherit() reports.
      const box: { handoff?: Handoff } = {};
      const succession = new Succession(joined.socket, txn, {
        ...settings,
        accept: () => (box.handoff as Handoff).#open(),
        serve: () => (box.handoff as Handoff).#serve(),
        check: () => checkHealth(settings.health),
        own: (receipt) => (box.handoff as Handoff).#own(receipt),
        gone: (bye) => (box.handoff as Handoff).#predecessorGone(bye),
        fail: (error) =>
          box.handoff === undefined ? settings.registry.closeInherited() : box.handoff.#giveBack(error),
      });
      try {
        const offer = await succession.inherit();
        const handoff = new Handoff(settings, offer, restoreStderr);
        box.handoff = handoff;
        handoff.#succession = succession;
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
    this.superseded = new Promise((resolve) => {
      this.#resolveSuperseded = resolve;
    });
  }

  /** Of the upgrade that brought this process here; complete when its predecessor has gone ('settled'). */
  get receipt(): Receipt | undefined {
    return this.#receipt;
  }

  get state(): HandoffState {
    return this.#state;
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
    const endpoint = await readEndpoint(options);
    this.#requireOpen();
    if (this.#state !== 'starting' || this.#readyCalled) throw stateError('listen() belongs before ready()');
    this.#registry.claim(name, server, endpoint);
    return server;
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
    let markReady = (): void => {};
    const booted = new Promise<void>((resolve) => {
      markReady = resolve;
    });
    const outcome = new Promise<Receipt>((resolve, reject) => {
      this.#upgrade = { ready: markReady, resolve, reject };
    });
    const upgrade = this.#upgrade;
    outcome.catch(() => {}); // runUpgrade() may have stopped waiting for it
    try {
      return await runUpgrade(options, {
        seam: this.#seam,
        timeouts: this.#timeouts,
        booted,
        reserve: (txn, pid) => holding.reserve(txn, pid),
        outcome,
      });
    } finally {
      // One that was rolled back waits for the successor's last words, and the next one may be under way.
      if (this.#upgrade === upgrade) this.#upgrade = undefined;
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
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    if (this.#state === 'standby') await this.#leaveStandby();
    // The predecessor takes over, if it still can: whoever ends a process on probation wants the old one.
    if (this.#state === 'probation')
      await this.#succession?.giveBack('the process was closed').catch(() => {});
    if (this.#state === 'superseded') {
      await this.superseded;
      return;
    }
    if (this.#rolledBack !== undefined) {
      await this.#rolledBack;
      return;
    }
    this.#state = 'closed';
    this.#succession?.giveUp('the successor was closed');
    this.#upgrade?.reject(closedError('Handoff')); // the successor is called off and killed
    const released = this.#holding?.close('the process was closed');
    this.#control?.close(); // not after the drain: an abstract address is taken as long as this is open
    await released;
    this.#registry.stop({ unlink: () => true });
    this.#registry.closeInherited();
    await this.#drain();
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

  #requireOpen(): void {
    if (this.#state === 'closed') throw this.#failure ?? closedError('Handoff');
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
      notServing: () => this.#notServing(),
      manifest: () => this.#registry.manifest(this.#control as Fd),
      lend: (name) => (name === CONTROL_NAME ? (this.#control as Fd) : this.#registry.lend(name)),
      accepted: () => this.#registry.accepted,
      ready: () => this.#upgrade?.ready(),
      pause: (inherited, transaction) => {
        this.#registry.pause(inherited);
        this.#standby = transaction;
        this.#inherited = inherited;
        this.#state = 'standby';
      },
      resume: () => {
        this.#standby = undefined;
        this.#state = 'serving';
        this.#registry.resume();
      },
      superseded: (receipt, transaction) => void this.#leave(receipt, transaction),
      hurry: (behind) => this.#hurry(behind),
      aborted: (error, rolledBack) => {
        this.#upgrade?.reject(error);
        if (rolledBack) this.emit('rolledback', error);
        else if (this.#upgrade === undefined) this.emit('aborted', error);
      },
      refused: (error) => this.emit('aborted', error),
    });
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

  #serve(): void {
    this.#state = 'probation';
  }

  // Every listener accepts and the predecessor, if there was one, is out of the way. Must not fail.
  #own(receipt: unknown): void {
    this.#state = 'serving';
    this.#receipt = readReceipt(receipt);
    if (this.#receipt !== undefined) this.#receipt.accepted.successor = this.#registry.accepted;
    this.#registry.own();
    this.#restoreStderr();
    process.nextTick(() => this.emit('confirmed')); // behind ready(), and not inside a step of the machine
  }

  #predecessorGone(bye: Bye | undefined): void {
    if (this.#receipt === undefined) return;
    this.#receipt.drain = bye ?? 'died';
    const receipt = this.#receipt;
    process.nextTick(() => this.emit('settled', receipt));
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
    this.#rolledBack = this.#drain().then(() => {
      if (served) this.#end(1);
    });
    // Later: a listener may throw, and what runs this step of the machine has more to do.
    if (served) process.nextTick(() => this.emit('rolledback', failure));
  }

  async #leave(receipt: Receipt, transaction: Transaction): Promise<void> {
    this.#state = 'superseded';
    this.#holding?.handOver();
    this.#registry.stop({ unlink: (name) => this.#inherited?.includes(name) === false });
    this.#succession?.hurry(1); // our own predecessor may still drain
    this.#upgrade?.resolve(receipt);
    this.emit('superseded', receipt);
    this.#control?.close();
    const drain = transaction.drained(await this.#drain());
    this.#resolveSuperseded({ ...receipt, drain });
    this.#end(0);
  }

  // By itself, if nothing else keeps it; else after a grace for whoever awaits `superseded`.
  #end(code: 0 | 1): void {
    if (code !== 0) this.#seam.setExitCode(code);
    this.#seam.setTimer(this.#timeouts.exit, () => this.#seam.exit(code));
  }

  #drain() {
    // Open connections alone need not keep a process: nobody reads from an HTTP/2 session that was told to go.
    return this.#registry.drain((cut) => {
      this.#cuts.add(cut);
      const disarm = this.#seam.setTimer(this.#timeouts.drain, cut, { hold: true });
      return () => {
        this.#cuts.delete(cut);
        disarm();
      };
    });
  }

  /** `behind`: so many generations between the one that serves and this one drain as well. */
  #hurry(behind: number): void {
    this.#succession?.hurry(behind + 1);
    if (behind + 2 <= MAX_GENERATIONS) return;
    this.#seam.setTimer(this.#timeouts.hurry, () => {
      for (const cut of this.#cuts) cut();
    });
  }
}

interface Settings {
  name: string;
  allow: readonly number[];
  timeouts: HandoffTimeouts;
  probation: Probation;
  health: ProbationOptions['health'];
  address: UnixAddress;
  seam: ProcessSeam;
  registry: Registry;
}

/** The transaction that upgrade() has started this process for, or one of our own. Nothing that we start sees it. */
function takeTxn(seam: ProcessSeam): string {
  const given = seam.env[TXN_VARIABLE];
  delete seam.env[TXN_VARIABLE];
  return given !== undefined && /^[0-9a-f]{32}$/.test(given) ? given : randomBytes(TXN_BYTES).toString('hex');
}

function turnedAway({ address, timeouts }: Settings, cause: unknown): FdpassError {
  const text = `whoever listens on ${address} has hung up on us for ${timeouts.hello} ms; does it allow this user?`;
  return new FdpassError('ERR_HANDOFF_TIMEOUT', text, { cause });
}

function stateError(message: string): FdpassError {
  return new FdpassError('ERR_HANDOFF_STATE', message);
}
