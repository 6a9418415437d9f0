// What `fdpass run` needs of a pool, and how it gets one.
import type { EventEmitter } from 'node:events';
import type { PoolStatus, RollReceipt } from '../handoff/pool-status';
import type { PoolEvents } from '../pool/pool';

export interface RunWorker {
  worker: number;
  generation: number;
  pid: number;
}

export interface RunPool extends EventEmitter<PoolEvents> {
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
