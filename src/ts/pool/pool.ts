// Pool: the public face of a primary: its slots, its listeners, and what can be asked of it.
import { EventEmitter } from 'node:events';
import { closedError, FdpassError, type SystemError } from '../base/errors';
import type { Fd } from '../fd/fd';
import type { LogSource } from '../handoff/pool-commands';
import type { PoolStatus, RollReceipt } from '../handoff/pool-status';
import { systemProcess } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import { stateError } from '../handoff/state-error';
import type { HandoffEvents } from '../handoff/status';
import type { UpgradeOptions } from '../handoff/upgrade';
import { isSupported, unsupportedPlatform } from '../native/binding';
import type { OutputStream } from '../worker/messages';
import { hasPost } from '../worker/post';
import { commandHooks } from './commands';
import { Crew } from './crew';
import { Listeners } from './listeners';
import type { Return } from './meeting';
import { type PoolOptions, type PoolSettings, readPoolOptions, readSize } from './options';
import { Roll } from './roll';
import { type PoolRecord, Seat } from './seat';
import { Slot, type SlotRecord } from './slot';
import type { Identity, Worker, WorkerLink } from './worker';
import type { WorkerError } from './worker-error';

/** A primary that was superseded closes its sockets at once. While it has them their places cannot be bound anew. */
const PREDECESSOR_CLOSES_MS = 1_000;

/** Which worker something is about. */
export interface WorkerInfo extends Identity {
  /** 0 if it could not be started. */
  pid: number;
}

export interface PoolEvents {
  /** A worker serves, on probation at first. */
  ready: [worker: WorkerInfo];
  /** A worker that another primary had started serves here from now on, as it was started. */
  kept: [worker: WorkerInfo];
  /** A worker has ended, for this reason; `told`: the pool had told it to. */
  exit: [worker: WorkerInfo, reason: string, told: boolean];
  /**
   * A worker has ended that nobody had told to, or (SystemError EMFILE, EAGAIN) none could be started; the place is filled again
   * in so many milliseconds. A process warning, if nobody listens.
   */
  crash: [error: WorkerError | SystemError, pauseMs: number];
  /** A roll is over: all workers were replaced. */
  rolled: [receipt: RollReceipt];
  /** A roll has stopped: the workers that were not replaced serve on. restart() rejects with the same error. */
  unrolled: [error: Error];
  /** With the output mode 'event'. */
  output: [worker: WorkerInfo, stream: OutputStream, chunk: Buffer];
  /** The primary cannot accept, or a worker cannot be met, for want of descriptors or memory. It goes on. */
  trouble: [error: Error];
  /** Another primary has taken over for good, and has the workers. This process ends by itself. */
  superseded: [receipt: Receipt];
  /** In a primary that has taken over: its probation is over. In the first one: it serves. */
  confirmed: [];
  /** A takeover was taken back. The old primary has its workers again; the new one ends by itself. */
  rolledback: [error: Error];
  /** Somebody's attempt to take over came to nothing. */
  aborted: [error: Error];
  /** The predecessor has gone, or died. */
  settled: [receipt: Receipt];
}

/**
 * Starts the workers, and resolves when all of them serve. If a primary of that name is there already this one takes over from
 * it, and its workers with it: they serve all the time.
 * @throws ERR_POOL_WORKER (with stderr, as far as it is seen here): one of them did not, and all are ended; TypeError,
 * RangeError, SystemError EMFILE; what createHandoff() throws; ERR_FDPASS_UNSUPPORTED_PLATFORM; ERR_HANDOFF_STATE: this process
 * is a worker of a pool
 */
export async function createPool(options: PoolOptions): Promise<Pool> {
  if (!isSupported) throw unsupportedPlatform('createPool()');
  if (hasPost()) throw stateError(WORKER_ALREADY);
  const pool = new Pool(readPoolOptions(options));
  await pool.begin();
  return pool;
}

const WORKER_ALREADY =
  'this process is a worker of a pool itself: options.exec has to be another file than the one that calls createPool(), and that ' +
  'one is started by node, not by fdpass run';

export class Pool extends EventEmitter<PoolEvents> implements AsyncDisposable {
  readonly #settings: PoolSettings;
  readonly #seat: Seat;
  readonly #listeners: Listeners;
  readonly #crew: Crew;
  #slots: Slot[] = [];
  /** Places that scale() has given up, while somebody is in them. */
  readonly #leaving = new Set<Slot>();
  /** Of places that scale() has given up: should they come back, their workers count on. */
  readonly #past = new Map<number, SlotRecord>();
  #scaled = false;
  #roll: Roll | undefined;
  #scaling = false;
  /** No other primary has our sockets. */
  #alone = true;
  #ends = false;
  #closing: Promise<void> | undefined;
  /** Whoever waits for workers to come back. */
  #onFull: () => void = () => {};
  #returned: Promise<void> = Promise.resolve();

  /** @internal */
  constructor(settings: PoolSettings) {
    super();
    this.#settings = settings;
    const onError = (error: Error): void => void this.emit('trouble', error);
    this.#seat = new Seat(settings.service, {
      commands: commandHooks(this),
      exclusive: settings.exclusive === true,
      record: () => this.#record(),
      announce: (event, ...args) => this.#onAnnounced(event, args),
      onReturn: (...args) => this.#onReturn(...args),
      part: () => this.#part(),
      expect: () => {
        for (const slot of this.#slots) slot.expect();
      },
      drained: () => this.#crew.drained(),
      figures: () => this.#crew.figures(),
      onError,
    });
    const { balance, sticky } = settings;
    this.#listeners = new Listeners({
      registry: this.#seat.registry,
      balance,
      sticky,
      mayClose: () => this.#alone && this.#seat.isPrimary && this.#seat.heir === undefined,
      onError,
    });
    this.#crew = new Crew(settings, this.#listeners, {
      meeting: () => this.#seat.meeting,
      ready: (worker) => this.emit('ready', infoOf(worker)),
      ended: (worker) => this.emit('exit', infoOf(worker), worker.fault, worker.dismissed),
      output: (worker, stream, chunk) => this.emit('output', infoOf(worker), stream, chunk),
      roll: () => this.restart(),
      returned: () => this.#returned,
    });
  }

  /** @internal */
  async begin(): Promise<void> {
    let record: PoolRecord | undefined;
    try {
      record = await this.#seat.take();
      this.#requireOpen();
      if (record === undefined) this.#slots = this.#newSlots(this.#settings.workers);
      else this.#inherit(record);
      // Threads stay with their process: those of the predecessor serve until ours do.
      if (record !== undefined && this.#settings.program.kind === 'processes') await this.#takeWorkers();
      else await this.#startWorkers();
    } catch (error) {
      if (record !== undefined) await this.#seat.fail((error as Error).message).catch(() => {}); // it serves on
      await this.close();
      throw error;
    }
  }

  /** The predecessor's: it releases them when this primary is ready. */
  async #takeWorkers(): Promise<void> {
    await this.#seat.ready();
    await this.#untilFull(this.#seat.returnMs);
    this.#requireOpen();
    if (!this.#seat.isPrimary) return; // the next one has them already
    await this.#fill();
  }

  /** And those that a primary has left which was killed. */
  async #startWorkers(): Promise<void> {
    if (this.#settings.program.kind === 'processes') await this.#untilFull(this.#seat.returnMs);
    this.#requireOpen();
    await this.#fill();
    await this.#seat.ready();
  }

  /** Workers that are wanted. */
  get size(): number {
    return this.#slots.length;
  }

  /** 1 for the first primary, one more for each successor. */
  get generation(): number {
    return this.#seat.generation;
  }

  /** The primary that this one takes over from, or has. */
  get predecessor(): { pid: number; generation: number } | undefined {
    return this.#seat.predecessor;
  }

  /** Resolves when another primary has taken over, and the workers that had to leave with this one have ended. */
  get superseded(): Promise<Receipt> {
    return this.#seat.superseded;
  }

  /**
   * Replaces the workers, `atOnce` at a time, without losing a request: each old one goes on until its successor is ready and
   * has passed its probation. Resolves when the last one has; the old ones may still drain.
   * @throws ERR_POOL_WORKER: a new worker was no good. The roll has stopped there: the old worker of that place serves, as do
   * those that have not had their turn. ERR_POOL_BUSY: another roll, scale() or a takeover is under way. ERR_POOL_ABORTED:
   * abort()
   */
  async restart(): Promise<RollReceipt> {
    this.#requireIdle();
    this.#roll = new Roll(this.#slots, this.#settings.atOnce, systemProcess);
    try {
      const receipt = await this.#roll.run();
      this.emit('rolled', receipt);
      return receipt;
    } catch (error) {
      this.#seat.noteFailure(error as Error);
      this.emit('unrolled', error as Error);
      throw error;
    } finally {
      this.#roll = undefined;
    }
  }

  /**
   * Calls a roll off: the worker that was being started is ended, those that were replaced stay so, and restart() rejects.
   * @returns false: no roll is under way
   */
  abort(reason = 'called off by abort()'): boolean {
    if (this.#roll === undefined) return false;
    this.#roll.callOff(reason);
    return true;
  }

  /**
   * Changes the number of workers. Resolves when new ones serve; those that are too many take nothing new and drain.
   * @param size 'max': one for each processor that this process may use
   * @throws ERR_POOL_WORKER: a new one was no good, and the size is what it was; ERR_POOL_BUSY
   */
  async scale(size: number | 'max'): Promise<void> {
    this.#requireIdle();
    const wanted = readSize('size', size);
    this.#scaled = true;
    await this.#changeSize(async () => {
      for (const slot of this.#slots.splice(wanted)) void this.#giveUp(slot);
      await this.#grow(wanted);
    });
  }

  /**
   * Starts another primary, by default this very program once more, which takes over the listeners and the workers. Those
   * serve all the time; worker threads end with their process, and the successor starts its own. Resolves when it has taken
   * over for good; this process then ends by itself.
   * @throws as upgrade() of a Handoff: this process has its workers, or has them again
   */
  async upgrade(options?: UpgradeOptions): Promise<Receipt> {
    try {
      return await this.#seat.upgrade(options);
    } finally {
      this.#listeners.closeUnused(); // what had to stay for the successor
    }
  }

  /** What keeps another primary, or another change, waiting. @internal */
  changing(): 'rolling' | 'scaling' | undefined {
    if (this.#roll !== undefined) return 'rolling';
    return this.#scaling ? 'scaling' : undefined;
  }

  status(): PoolStatus {
    const { balance, program } = this.#settings;
    const workers = [...this.#slots, ...this.#leaving].flatMap((slot) => slot.status());
    const listeners = this.#listeners.status();
    const status = { balance, kind: program.kind, size: this.size, listeners, workers };
    return this.#roll === undefined ? status : { ...status, roll: this.#roll.progress };
  }

  /** @internal */
  get seesOutput(): boolean {
    return this.#settings.program.output === 'event';
  }

  /** What the workers have printed, with the output mode 'event'. @internal */
  get logs(): LogSource {
    return this.#crew.logs;
  }

  /**
   * Ends the service: the listeners are closed, the workers let their connections end within `timeouts.drain`, and end.
   * Resolves when they have. Of a primary that was superseded it is the wait for its end.
   */
  close(): Promise<void> {
    this.#ends = true;
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#listeners.close();
    await this.#seat.close();
    await this.#crew.drained();
  }

  /** @throws ERR_HANDOFF_STATE: it cannot be the same pool */
  #inherit({ balance, size, scaled, slots, listeners }: PoolRecord): void {
    if (balance !== this.#settings.balance)
      throw stateError(
        `the pool has the balance '${balance}', and its workers know no other: start this one with that, or end the pool first`,
      );
    this.#alone = false;
    this.#listeners.inherit(listeners);
    this.#scaled = scaled;
    this.#slots = this.#newSlots(scaled ? size : this.#settings.workers, slots);
  }

  #record(): PoolRecord {
    return {
      balance: this.#settings.balance,
      size: this.size,
      scaled: this.#scaled,
      slots: this.#slots.map(({ record }) => record),
      listeners: this.#listeners.records(),
    };
  }

  /** Until workers are in all places, or so many milliseconds have passed. */
  async #untilFull(ms: number): Promise<void> {
    if (ms === 0) return;
    this.#returned = new Promise<void>((resolve) => {
      const stop = systemProcess.setTimer(ms, resolve, { hold: true });
      this.#onFull = () => {
        if (this.#seat.isPrimary && this.#slots.some(({ empty }) => empty)) return;
        stop();
        resolve();
      };
    });
    await this.#returned;
    this.#onFull = () => {};
  }

  /** Where some have come back the others are started like those that have crashed: the pool serves already. */
  async #fill(): Promise<void> {
    const empty = this.#slots.filter((slot) => slot.empty);
    if (empty.length < this.size) for (const slot of empty) slot.restart();
    else await this.#changeSize(() => this.#fillAll(empty));
  }

  #beAlone(): void {
    this.#alone = true;
    // Also what workers have closed while there was no primary. One that boots has not asked yet.
    if (this.#slots.every(({ serves }) => serves)) this.#listeners.closeUnused();
  }

  /** No other primary takes over meanwhile. */
  async #changeSize(change: () => Promise<void>): Promise<void> {
    this.#scaling = true;
    try {
      await change();
    } finally {
      this.#scaling = false;
    }
  }

  async #fillAll(slots: readonly Slot[]): Promise<void> {
    await Promise.all(slots.map((slot) => slot.fill()));
  }

  /** All or none of the new ones. */
  async #grow(size: number): Promise<void> {
    const added = this.#newSlots(size, [...this.#past.values()]).slice(this.size);
    this.#slots.push(...added);
    try {
      await this.#fillAll(added);
    } catch (error) {
      this.#slots = this.#slots.filter((slot) => !added.includes(slot));
      await Promise.all(added.map((slot) => this.#giveUp(slot)));
      throw error;
    }
  }

  async #giveUp(slot: Slot): Promise<void> {
    this.#past.set(slot.number, slot.record);
    this.#leaving.add(slot);
    await slot.vacate();
    this.#leaving.delete(slot);
  }

  #newSlots(size: number, records: readonly SlotRecord[] = []): Slot[] {
    const { restart } = this.#settings;
    const hooks = {
      seam: systemProcess,
      restart,
      start: (identity: Identity) => this.#crew.start(identity),
      crashed: (error: WorkerError | SystemError, pauseMs: number) => {
        if (!this.emit('crash', error, pauseMs)) process.emitWarning(error);
      },
    };
    return Array.from({ length: size }, (_, index) => {
      const number = index + 1;
      return new Slot(
        number,
        hooks,
        records.find((one) => one.number === number),
      );
    });
  }

  /** A worker that has lost its primary, or was released by it. */
  #onReturn(hello: Return, link: WorkerLink, fds: Fd[]): void {
    const { worker: number, generation } = hello.back;
    const slot = this.#slots.find((one) => one.number === number);
    const away = slot?.awayWith(hello.pid);
    const worker = away ?? this.#crew.keep({ worker: number, generation }, hello.pid);
    this.#crew.takeBack(worker, hello, link, fds);
    this.#seat.ownNames();
    if (slot === undefined || !slot.take(worker))
      worker.stop(); // there is one in its place
    else if (away === undefined) this.emit('kept', infoOf(worker));
    this.#onFull();
  }

  /** This process is not the primary any more: another one is, or nobody. */
  #part(): void {
    for (const slot of this.#slots) {
      if (this.#ends) void slot.vacate();
      else slot.release();
    }
    if (!this.#ends) this.#listeners.letGo();
    this.#onFull();
  }

  #onAnnounced<E extends keyof HandoffEvents>(event: E, args: HandoffEvents[E]): void {
    if (event === 'superseded') for (const slot of this.#slots) slot.forget();
    if (event === 'aborted' || event === 'rolledback') this.#listeners.closeUnused();
    if (event === 'confirmed' && !this.#alone)
      systemProcess.setTimer(PREDECESSOR_CLOSES_MS, () => this.#beAlone());
    this.emit(event, ...(args as never));
  }

  #requireOpen(): void {
    if (this.#ends) throw closedError('Pool');
  }

  #requireIdle(): void {
    this.#requireOpen();
    this.#seat.requireWorkers();
    if (this.#scaling) throw new FdpassError('ERR_POOL_BUSY', 'scale() is under way: wait for it');
    if (this.#roll === undefined) return;
    const { done, total } = this.#roll.progress;
    throw new FdpassError(
      'ERR_POOL_BUSY',
      `a roll is under way: ${done} of ${total} workers have been replaced`,
    );
  }
}

function infoOf({ identity, pid }: Worker): WorkerInfo {
  return { ...identity, pid };
}
