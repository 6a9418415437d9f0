// 'fdpass/pool': one port, many processes. Re-exports only.
export type {
  Balance,
  PoolStatus,
  Replacement,
  RollReceipt,
  WorkerExit,
  WorkerFigures,
  WorkerState,
  WorkerStatus,
} from './handoff/pool-status';
export type { HeartbeatOptions, OutputMode, PoolOptions, RestartOptions } from './pool/options';
export { createPool, type Pool, type PoolEvents, type WorkerInfo } from './pool/pool';
export type { OutputStream } from './pool/start-worker';
export { WorkerError } from './pool/worker';
