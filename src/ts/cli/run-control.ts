// openControl(): the control socket of `fdpass run`, so that the other commands find it by its name.
import { FdpassError } from '../base/errors';
import { Handoff } from '../handoff/handoff';
import { readOptions } from '../handoff/options';
import type { LogSource, PoolHooks, RollProgress } from '../handoff/pool-commands';
import type { PoolStatus } from '../handoff/pool-status';
import type { RunPool } from './run-pool';

export interface Controlled {
  /** Once its workers serve. @throws ERR_HANDOFF_STATE before */
  pool(): RunPool;
  status(): PoolStatus;
  logs: LogSource;
}

/**
 * @returns closes it
 * @throws ERR_HANDOFF_BUSY, ERR_HANDOFF_UNSAFE_DIRECTORY, SystemError; ERR_HANDOFF_STATE: a service of that name runs already
 */
export async function openControl(name: string, controlled: Controlled): Promise<() => Promise<void>> {
  const handoff = await Handoff.begin(readOptions({ name }), hooksOf(controlled));
  const { predecessor } = handoff;
  if (predecessor !== undefined) {
    await handoff.close(); // that one serves on
    const text = `${name} runs already, as process ${predecessor.pid}; replace its workers: fdpass restart ${name}, or give another --name`;
    throw new FdpassError('ERR_HANDOFF_STATE', text);
  }
  await handoff.ready();
  return () => handoff.close();
}

function hooksOf({ pool, status, logs }: Controlled): PoolHooks {
  return {
    status,
    logs,
    changing: () => undefined,
    rolling: () => progressOf(status()),
    roll: async () => await pool().restart(),
    abort: () => Promise.resolve(undefined), // a pool cannot call a roll off yet
    async scale(size) {
      await pool().scale(size);
      return status().size;
    },
  };
}

/** The worker that comes is the one that is new and does not serve yet. */
function progressOf({ roll, workers }: PoolStatus): RollProgress | undefined {
  if (roll === undefined) return undefined;
  const next = workers.find(({ state }) => state === 'starting' || state === 'probation');
  const { worker = roll.done + 1, pid = 0, state = 'starting' } = next ?? {};
  return { ...roll, worker, pid, state };
}
