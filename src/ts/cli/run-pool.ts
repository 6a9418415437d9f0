// What `fdpass run` needs of a pool, and how it gets one.
import type { EventEmitter } from 'node:events';
import type { PoolStatus, RollReceipt } from '../handoff/pool-status';

export interface RunWorker {
  worker: number;
  generation: number;
  pid: number;
}

export interface RunPoolEvents {
  /** It serves, on probation at first. */
  ready: [worker: RunWorker];
  /** @param told the pool had told it to end */
  exit: [worker: RunWorker, reason: string, told: boolean];
  /** Nobody had told it to; its place is filled again in so many milliseconds. */
  crash: [error: Error, pauseMs: number];
  output: [worker: RunWorker, stream: 'stdout' | 'stderr', chunk: Buffer];
}

export interface RunPool extends EventEmitter<RunPoolEvents> {
  /**
   * Resolves when all workers serve.
   * @throws an Error with a code, and if a program has ended by itself with `exitCode` or `signal`: all have ended
   */
  begin(): Promise<void>;
  /** Replaces the workers. */
  restart(): Promise<RollReceipt>;
  /** Resolves when so many serve. @throws RangeError */
  scale(size: number | 'max'): Promise<void>;
  status(): PoolStatus;
  /** Resolves when all workers have drained and ended. Calls begin() off. */
  close(): Promise<void>;
}
