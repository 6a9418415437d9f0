// Slot: one place of a pool. It is filled with a worker, filled again after a crash, and handed to a new worker in a roll.

import type { Replacement, WorkerExit, WorkerStatus } from '../handoff/pool-status';
import type { ProcessSeam } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import { BackOff, type BackOffTimes } from './back-off';
import { type Identity, type Worker, WorkerError } from './worker';

export interface SlotHooks {
  seam: ProcessSeam;
  restart: BackOffTimes;
  /** @throws SystemError EMFILE, EAGAIN */
  start(identity: Identity): Worker;
  /** One that served, or should have, has ended and nobody had told it to; it is started again in `pauseMs`. */
  crashed(error: Error, pauseMs: number): void;
}

export class Slot {
  readonly number: number;
  readonly #hooks: SlotHooks;
  readonly #backOff: BackOff;
  #generation = 0;
  /** Serves, or is to. */
  #current: Worker | undefined;
  /** Is to replace it. */
  #next: Worker | undefined;
  readonly #leaving = new Set<Worker>();
  #restarts = 0;
  #crash: { reason: string; at: number } | undefined;
  #cancelRestart: (() => void) | undefined;
  #wanted = true;

  constructor(number: number, hooks: SlotHooks) {
    this.number = number;
    this.#hooks = hooks;
    this.#backOff = new BackOff(hooks.restart);
  }

  /** Those that live. */
  get workers(): Worker[] {
    return [this.#current, this.#next, ...this.#leaving].filter((one) => one !== undefined);
  }

  /** Resolves when its first worker serves, probation included. @throws WorkerError, SystemError; the slot is empty then */
  async fill(): Promise<void> {
    const worker = this.#start();
    this.#current = worker;
    try {
      await confirmed(worker);
    } catch (error) {
      this.#current = undefined;
      this.#lose(worker);
      throw error;
    }
    this.#watch(worker);
  }

  /**
   * Starts a new worker and stops the old one when the new one serves, probation included.
   * @throws WorkerError, SystemError: the old one serves on
   */
  async replace(): Promise<Replacement> {
    const next = this.#start();
    this.#cancelRestart?.(); // what was to be started anew is started now
    this.#cancelRestart = undefined;
    this.#backOff.reset();
    const before = this.#current;
    this.#next = next;
    try {
      await confirmed(next);
    } catch (error) {
      this.#next = undefined;
      this.#lose(next);
      if (this.#current === undefined) this.#restartLater(0);
      throw error;
    }
    this.#next = undefined;
    const old = this.#current;
    this.#current = next;
    if (old !== undefined) this.#dismiss(old, receiptOf(old, next));
    this.#watch(next);
    return {
      worker: this.number,
      pid: next.pid,
      predecessor: before?.pid ?? 0,
      startToReadyMs: next.startToReadyMs,
    };
  }

  /** Its workers end in their own time; resolves when they have. */
  async vacate(): Promise<void> {
    this.#wanted = false;
    this.#cancelRestart?.();
    this.#cancelRestart = undefined;
    const workers = this.workers;
    for (const worker of [this.#current, this.#next]) if (worker !== undefined) this.#dismiss(worker);
    this.#current = undefined;
    await Promise.all(workers.map((worker) => worker.ended));
  }

  status(): WorkerStatus[] {
    const rows = this.workers.map((worker): WorkerStatus => {
      const { pid, threadId, figures, phase, identity } = worker;
      const state = phase === 'ended' || phase === 'adrift' ? 'leaving' : phase;
      const thread = threadId === undefined ? {} : { threadId };
      return { ...identity, pid, ...thread, state, ...figures, restarts: this.#restarts, ...this.#lastExit };
    });
    if (this.#cancelRestart === undefined) return rows;
    const waiting = { worker: this.number, generation: this.#generation, pid: 0, restarts: this.#restarts };
    return [{ ...waiting, state: 'waiting', ...this.#lastExit }, ...rows];
  }

  get #lastExit(): { lastExit?: WorkerExit } {
    if (this.#crash === undefined) return {};
    const { reason, at } = this.#crash;
    return { lastExit: { reason, agoMs: this.#hooks.seam.now() - at } };
  }

  #start(): Worker {
    this.#generation++;
    return this.#hooks.start({ worker: this.number, generation: this.#generation });
  }

  #dismiss(worker: Worker, receipt?: Receipt): void {
    worker.stop(receipt);
    this.#lose(worker);
  }

  /** It ends, and may take its time. */
  #lose(worker: Worker): void {
    if (worker.phase === 'ended') return;
    this.#leaving.add(worker);
    void worker.ended.then(() => this.#leaving.delete(worker));
  }

  /** From here its end is a crash, unless it was told to. */
  #watch(worker: Worker): void {
    void worker.ended.then(() => {
      if (this.#current !== worker) return;
      this.#current = undefined;
      this.#crash = { reason: worker.fault, at: this.#hooks.seam.now() };
      if (!this.#wanted || this.#next !== undefined) return; // somebody comes already
      this.#restartLater(worker.servedMs, new WorkerError(worker));
    });
  }

  #restartLater(servedMs: number, error?: Error): void {
    if (!this.#wanted) return;
    const pause = this.#backOff.pause(servedMs);
    if (error !== undefined) this.#hooks.crashed(error, pause);
    this.#cancelRestart = this.#hooks.seam.setTimer(pause, () => this.#restart(), { hold: true });
  }

  #restart(): void {
    this.#cancelRestart = undefined;
    this.#restarts++;
    try {
      const worker = this.#start();
      this.#current = worker;
      this.#watch(worker);
    } catch (error) {
      this.#restartLater(0, error as Error); // no descriptors, no processes: later there may be
    }
  }
}

/** @throws WorkerError if it ends, or is about to, before */
function confirmed(worker: Worker): Promise<void> {
  return new Promise((resolve, reject) => {
    worker.once('serving', resolve);
    worker.once('leaving', () => reject(new WorkerError(worker)));
    void worker.ended.then(() => reject(new WorkerError(worker)));
  });
}

/** What the old worker is told. What only an upgrade knows is empty. */
function receiptOf(old: Worker, next: Worker): Receipt {
  return {
    pid: next.pid,
    generation: next.identity.generation,
    predecessor: { pid: old.pid, generation: old.identity.generation },
    startToReadyMs: next.startToReadyMs,
    connectToReadyMs: next.startToReadyMs,
    readyToStoppedMs: next.servedMs,
    overlapMs: next.servedMs,
    states: {},
    listeners: { inherited: [], bound: [], closed: [] },
    accepted: { predecessor: old.figures.accepted ?? 0, successor: next.figures.accepted },
    memory: { predecessor: old.figures.rssBytes ?? 0, successor: next.figures.rssBytes },
  };
}
