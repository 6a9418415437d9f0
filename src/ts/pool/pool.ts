// Pool: the public face of a primary: its slots, its listeners, and what can be asked of it.
import { EventEmitter } from 'node:events';
import { closedError, FdpassError } from '../base/errors';
import type { Fd } from '../fd/fd';
import type { PoolStatus, Replacement, RollReceipt } from '../handoff/pool-status';
import { systemProcess } from '../handoff/process';
import { isSupported, unsupportedPlatform } from '../native/binding';
import type { WorkerMessage } from '../worker/messages';
import { Listeners } from './listeners';
import { type PoolOptions, type PoolSettings, readPoolOptions, readSize } from './options';
import { Slot } from './slot';
import { type OutputStream, startWorker } from './start-worker';
import { type Identity, Worker } from './worker';

/** Which worker something is about. */
export interface WorkerInfo extends Identity {
  /** 0 if it could not be started. */
  pid: number;
}

export interface PoolEvents {
  /** A worker serves, on probation at first. */
  ready: [worker: WorkerInfo];
  /** A worker has ended, for this reason; `told`: the pool had told it to. */
  exit: [worker: WorkerInfo, reason: string, told: boolean];
  /**
   * A worker has ended that nobody had told to; its place is filled again in so many milliseconds. A process warning, if
   * nobody listens.
   */
  crash: [error: Error, pauseMs: number];
  /** With the output mode 'event'. */
  output: [worker: WorkerInfo, stream: OutputStream, chunk: Buffer];
}

/**
 * Starts the workers, and resolves when all of them serve.
 * @throws ERR_POOL_WORKER (with stderr, as far as it is seen here): one of them did not, and all are ended; TypeError,
 * RangeError, SystemError EMFILE; ERR_FDPASS_UNSUPPORTED_PLATFORM
 */
export async function createPool(options: PoolOptions): Promise<Pool> {
  if (!isSupported) throw unsupportedPlatform('createPool()');
  const pool = new Pool(readPoolOptions(options));
  await pool.begin();
  return pool;
}

export class Pool extends EventEmitter<PoolEvents> implements AsyncDisposable {
  readonly #settings: PoolSettings;
  readonly #listeners = new Listeners();
  /** What each worker that lives has been given. */
  readonly #used = new Map<Worker, Set<Fd>>();
  #slots: Slot[] = [];
  #roll: { done: number; total: number; since: number } | undefined;
  #closing: Promise<void> | undefined;

  /** @internal */
  constructor(settings: PoolSettings) {
    super();
    this.#settings = settings;
  }

  /** @internal */
  async begin(): Promise<void> {
    try {
      await this.#grow(this.#settings.workers);
    } catch (error) {
      await this.close();
      throw error;
    }
  }

  /** Workers that are wanted. */
  get size(): number {
    return this.#slots.length;
  }

  /**
   * Replaces the workers, `atOnce` at a time, without losing a request: each old one goes on until its successor is ready and
   * has passed its probation. Resolves when the last one has; the old ones may still drain.
   * @throws ERR_POOL_WORKER: a new worker was no good. The roll has stopped there: the old worker of that place serves, as do
   * those that have not had their turn. ERR_POOL_BUSY: another roll is under way
   */
  async restart(): Promise<RollReceipt> {
    this.#requireOpen();
    this.#requireNoRoll();
    const slots = [...this.#slots];
    const roll = { done: 0, total: slots.length, since: systemProcess.now() };
    this.#roll = roll;
    const replaced: Replacement[] = [];
    try {
      while (slots.length > 0) {
        const some = slots.splice(0, this.#settings.atOnce);
        const settled = await Promise.allSettled(some.map((slot) => slot.replace()));
        for (const one of settled) if (one.status === 'fulfilled') replaced.push(one.value);
        roll.done = replaced.length;
        const failed = settled.find((one) => one.status === 'rejected');
        if (failed !== undefined) throw failed.reason;
        this.#requireOpen();
      }
    } finally {
      this.#roll = undefined;
    }
    return { replaced, ms: systemProcess.now() - roll.since };
  }

  /**
   * Changes the number of workers. Resolves when new ones serve; those that are too many take nothing new and drain.
   * @param size 'max': one for each processor that this process may use
   * @throws ERR_POOL_WORKER: a new one was no good, and the size is what it was; ERR_POOL_BUSY
   */
  async scale(size: number | 'max'): Promise<void> {
    this.#requireOpen();
    this.#requireNoRoll();
    const wanted = readSize('size', size);
    for (const slot of this.#slots.splice(wanted)) void slot.vacate();
    await this.#grow(wanted);
  }

  status(): PoolStatus {
    const { kind } = this.#settings.program;
    const workers = this.#slots.flatMap((slot) => slot.status());
    const status = { kind, size: this.size, listeners: this.#listeners.status(), workers };
    if (this.#roll === undefined) return status;
    const { done, total, since } = this.#roll;
    return { ...status, roll: { done, total, ageMs: systemProcess.now() - since } };
  }

  /**
   * Ends the service: the listeners are closed, the workers let their connections end within `timeouts.drain`, and end.
   * Resolves when they have.
   */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  async #close(): Promise<void> {
    this.#listeners.close();
    const workers = [...this.#used.keys()];
    await Promise.all(this.#slots.map((slot) => slot.vacate()));
    await Promise.all(workers.map((worker) => worker.ended)); // those of slots that were given up before
  }

  /** All or none of the new ones. */
  async #grow(size: number): Promise<void> {
    const before = this.#slots.length;
    const added = Array.from({ length: Math.max(0, size - before) }, (_, index) =>
      this.#newSlot(before + index + 1),
    );
    this.#slots.push(...added);
    const filled = await Promise.allSettled(added.map((slot) => slot.fill()));
    const failed = filled.find((one) => one.status === 'rejected');
    if (failed === undefined) return;
    this.#slots = this.#slots.filter((slot) => !added.includes(slot));
    await Promise.all(added.map((slot) => slot.vacate()));
    throw failed.reason;
  }

  #newSlot(number: number): Slot {
    const { restart } = this.#settings;
    return new Slot(number, {
      seam: systemProcess,
      restart,
      start: (identity) => this.#start(identity),
      crashed: (error, pauseMs) => {
        if (!this.emit('crash', error, pauseMs)) process.emitWarning(error);
      },
    });
  }

  #start(identity: Identity): Worker {
    const { program, timeouts, probationMs, heartbeat } = this.#settings;
    const hooks = { seam: systemProcess, timeouts, probationMs, heartbeat };
    const worker = new Worker(identity, startWorker(program), {
      ...hooks,
      listen: (message) => void this.#listen(worker, message),
    });
    this.#used.set(worker, new Set());
    worker.on('probation', () => this.emit('ready', infoOf(worker)));
    worker.on('output', (stream, chunk) => this.emit('output', infoOf(worker), stream, chunk));
    void worker.ended.then(() => this.#onEnded(worker));
    return worker;
  }

  async #listen(worker: Worker, { name, request, place }: WorkerMessage & { type: 'listen' }): Promise<void> {
    try {
      const fd = await this.#listeners.find(name, place);
      this.#used.get(worker)?.add(fd);
      worker.answer(request, fd);
    } catch (error) {
      worker.refuse(request, error as Error);
    }
  }

  #onEnded(worker: Worker): void {
    this.#used.delete(worker);
    this.emit('exit', infoOf(worker), worker.fault, worker.dismissed);
    // Behind a crash of all of them the listeners stay: clients wait in their queues until somebody is back.
    if (!worker.dismissed || this.#used.size === 0) return;
    this.#listeners.keepOnly(new Set([...this.#used.values()].flatMap((fds) => [...fds])));
  }

  #requireOpen(): void {
    if (this.#closing !== undefined) throw closedError('Pool');
  }

  #requireNoRoll(): void {
    if (this.#roll === undefined) return;
    const { done, total } = this.#roll;
    throw new FdpassError(
      'ERR_POOL_BUSY',
      `a roll is under way: ${done} of ${total} workers have been replaced`,
    );
  }
}

function infoOf({ identity, pid }: Worker): WorkerInfo {
  return { ...identity, pid };
}
