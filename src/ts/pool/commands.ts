// What a pool does for the commands that come over its control socket.
import { FdpassError } from '../base/errors';
import type { LogSource, PoolHooks, RollProgress } from '../handoff/pool-commands';
import type { PoolStatus, RollReceipt } from '../handoff/pool-status';
import { WorkerError } from './worker-error';

export interface Commanded {
  status(): PoolStatus;
  changing(): 'rolling' | 'scaling' | undefined;
  restart(): Promise<RollReceipt>;
  abort(reason: string): boolean;
  scale(size: number | 'max'): Promise<void>;
  readonly logs: LogSource;
  /** With the output mode 'event'. */
  readonly seesOutput: boolean;
}

export function commandHooks(pool: Commanded): PoolHooks {
  const rolling = () => progressOf(pool.status());
  return {
    rolling,
    status: () => pool.status(),
    changing: () => pool.changing(),
    async roll() {
      try {
        return await pool.restart();
      } catch (error) {
        throw error instanceof WorkerError && error.served ? rolledBack(error) : error;
      }
    },
    async abort(reason) {
      const stood = rolling();
      return pool.abort(reason) ? stood : undefined;
    },
    async scale(size) {
      await pool.scale(size);
      return pool.status().size;
    },
    get logs() {
      return pool.seesOutput ? pool.logs : undefined;
    },
  };
}

/** What the protocol calls it. */
function rolledBack(error: WorkerError): Error {
  const { message, reason, stderr, exitCode, signal } = error;
  const told = new FdpassError('ERR_HANDOFF_ROLLED_BACK', message);
  return Object.assign(told, { reason, stderr, exitCode, signal });
}

/** The worker that comes is the one that is new and does not serve yet. */
function progressOf({ roll, workers }: PoolStatus): RollProgress | undefined {
  if (roll === undefined) return undefined;
  const next = workers.find(({ state }) => state === 'starting' || state === 'probation');
  const { worker = roll.done + 1, pid = 0, state = 'starting' } = next ?? {};
  return { ...roll, worker, pid, state };
}
