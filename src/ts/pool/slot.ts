// Slot: one place of a pool. It is filled with a worker, filled again after a crash, and handed to a new worker in a roll.

import { closedError, type SystemError } from '../base/errors';
import type { Replacement, WorkerExit, WorkerState, WorkerStatus } from '../handoff/pool-status';
import type { ProcessSeam } from '../handoff/process';
import type { Receipt } from '../handoff/receipt';
import { BackOff, type BackOffTimes } from './back-off';
import type { Identity, Worker, WorkerPhase } from './worker';
import { WorkerError } from './worker-error';

export interface SlotHooks {
  seam: ProcessSeam;
  restart: BackOffTimes;
  /** @throws SystemError EMFILE, EAGAIN */
  start(identity: Identity): Worker;
  /** One that served, or should have, has ended and nobody had told it to; it is started again in `pauseMs`. */
  crashed(error: WorkerError | SystemError, pauseMs: number): void;
}

/** What a later primary is told of a place. */
export interface SlotRecord {
  number: number;
  generation: number;
  restarts: number;
}

/** For a worker that was released: it finds its primary within some milliseconds, unless its event loop is stuck. */
const COME_BACK_MS = 10_000;

export class Slot {
  readonly number: number;
  readonly #hooks: SlotHooks;
  readonly #backOff: BackOff;
  #generation = 0;
  /** Serves, or is to. */
  #current: Worker | undefined;
  /** Is to replace it. */
  #next: Worker | undefined;
  /** Served here, and was released to another primary. */
  #away: Worker | undefined;
  readonly #leaving = new Set<Worker>();
  #restarts = 0;
  #crash: { reason: string; at: number } | undefined;
  #cancelRestart: (() => void) | undefined;
  #wanted = true;
  /** Another primary has the workers. */
  #released = false;

  /** @param past of this place, as another primary has told it */
  constructor(number: number, hooks: SlotHooks, past: SlotRecord = { number, generation: 0, restarts: 0 }) {
    this.number = number;
    this.#hooks = hooks;
    this.#backOff = new BackOff(hooks.restart);
    this.#generation = past.generation;
    this.#restarts = past.restarts;
  }

  /** Those that live, and are ours. */
  get workers(): Worker[] {
    return [this.#current, this.#next, ...this.#leaving].filter((one) => one !== undefined);
  }

  /** Nobody serves here, or is about to. */
  get empty(): boolean {
    return this.#current === undefined;
  }

  get serves(): boolean {
    return this.#current?.serves === true;
  }

  get record(): SlotRecord {
    return { number: this.number, generation: this.#generation, restarts: this.#restarts };
  }

  /** Resolves when its first worker serves, probation included. @throws WorkerError, SystemError; the slot is empty then */
  async fill(): Promise<void> {
    if (!this.#wanted || this.#released) throw closedError('Pool');
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
   * @throws WorkerError, SystemError: the old one serves on; ERR_FDPASS_CLOSED
   */
  async replace(): Promise<Replacement> {
    if (!this.#wanted) throw closedError('Pool');
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
    for (const worker of [this.#current, this.#next, this.#away])
      if (worker !== undefined) this.#dismiss(worker);
    const workers = this.workers;
    this.#current = undefined;
    this.#away = undefined;
    await Promise.all(workers.map((worker) => worker.ended));
  }

  /** Calls a replacement off. */
  callOff(reason: string): void {
    this.#next?.kill(reason);
  }

  /** Leaves its worker to another primary, and ends what does not serve yet. */
  release(): void {
    this.#released = true;
    this.#cancelRestart?.();
    this.#cancelRestart = undefined;
    if (this.#next !== undefined) this.#dismiss(this.#next);
    const current = this.#current;
    this.#current = undefined;
    if (current?.release()) this.#away = current;
    else if (current !== undefined) this.#dismiss(current);
  }

  /** The other primary has given up: the worker comes back, or is replaced. */
  expect(): void {
    this.#released = false;
    const away = this.#away;
    if (away === undefined) {
      this.restart();
      return;
    }
    const { seam } = this.#hooks;
    this.#cancelRestart = seam.setTimer(COME_BACK_MS, () => this.#giveUpWaiting(away), { hold: true });
    void away.ended.then(() => this.#giveUpWaiting(away));
  }

  /** The other primary has it for good. */
  forget(): void {
    this.#away?.leave();
    this.#away = undefined;
    this.#wanted = false;
  }

  /** The worker that was released, if that is the one. */
  awayWith(pid: number): Worker | undefined {
    return this.#away?.pid === pid ? this.#away : undefined;
  }

  /**
   * Has the place to a worker that serves, and has found this primary.
   * @returns false: there is one already. It is ours, and is to be stopped
   */
  take(worker: Worker): boolean {
    this.#generation = Math.max(this.#generation, worker.identity.generation);
    if (this.#away === worker) this.#away = undefined;
    if (this.#current !== undefined || !this.#wanted) {
      this.#lose(worker);
      return false;
    }
    this.#cancelRestart?.();
    this.#cancelRestart = undefined;
    this.#current = worker;
    this.#watch(worker);
    return true;
  }

  status(): WorkerStatus[] {
    const rows = this.workers.map((worker): WorkerStatus => {
      const { pid, threadId, figures, phase, identity } = worker;
      const state = stateOf(phase);
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

  #restartLater(servedMs: number, error?: WorkerError | SystemError): void {
    if (!this.#wanted || this.#released) return;
    const pause = this.#backOff.pause(servedMs);
    const again = (): void => {
      this.#restarts++;
      this.restart();
    };
    this.#cancelRestart = this.#hooks.seam.setTimer(pause, again, { hold: true });
    if (error !== undefined) this.#hooks.crashed(error, pause); // last: who listens may throw
  }

  #giveUpWaiting(away: Worker): void {
    if (this.#away !== away) return; // it is back, or another primary's for good
    this.#away = undefined;
    this.#cancelRestart?.();
    away.kill('it was left to another primary, and has not come back');
    this.#lose(away);
    this.restart();
  }

  /** Starts a worker for which nobody waits: a crash is tried again. */
  restart(): void {
    this.#cancelRestart = undefined;
    if (!this.#wanted || this.#released) return;
    try {
      const worker = this.#start();
      this.#current = worker;
      this.#watch(worker);
    } catch (error) {
      this.#restartLater(0, error as SystemError); // no descriptors, no processes: later there may be
    }
  }
}

function stateOf(phase: WorkerPhase): WorkerState {
  if (phase === 'released') return 'serving';
  return phase === 'ended' || phase === 'adrift' ? 'leaving' : phase;
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
