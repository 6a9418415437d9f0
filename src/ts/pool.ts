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
export { byCookie, byServerName, type StickyKey } from './pool/balance/sticky-key';
export type {
  HeartbeatOptions,
  OutputMode,
  PoolOptions,
  RestartOptions,
  StickyOptions,
} from './pool/options';
export { createPool, type Pool, type PoolEvents, type WorkerInfo } from './pool/pool';
export { WorkerError } from './pool/worker-error';
export type { OutputStream } from './worker/messages';
