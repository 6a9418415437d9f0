// What `fdpass run` needs of a pool, and how it gets one.
import type { EventEmitter } from 'node:events';
import type { LogSource } from '../handoff/pool-commands';
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
  /** Replaces the workers: 'rolled', or 'unrolled'. */
  restart(): Promise<RollReceipt>;
  status(): PoolStatus;
  readonly generation: number;
  /** What the workers print. */
  readonly logs: LogSource;
  /** Resolves when all workers have drained and ended. Calls begin() off. */
  close(): Promise<void>;
}
