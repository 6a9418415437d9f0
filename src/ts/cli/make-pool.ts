// makePool(): the pool that `fdpass run` drives.
import { given } from '../base/options';
import type { Balance } from '../handoff/pool-status';
import { readPoolOptions } from '../pool/options';
import { Pool } from '../pool/pool';
import type { NodeProgram } from './program';
import type { RunPool } from './run-pool';

export interface PoolPlan {
  name: string;
  /** The program and its arguments. */
  command: readonly string[];
  /** Of worker threads: instead of the command. */
  threads: NodeProgram | undefined;
  workers: number | 'max';
  /** undefined: as createPool() has it. */
  balance: Balance | undefined;
  waitReady: boolean;
  warmMs: number | undefined;
  probationMs: number | undefined;
  drainMs: number | undefined;
}

/** @throws RangeError, ERR_HANDOFF_UNSAFE_DIRECTORY */
export function makePool(plan: PoolPlan): RunPool {
  const { name, threads, command, workers, balance, waitReady } = plan;
  const { warmMs: warm, probationMs, drainMs: drain } = plan;
  return new Pool({
    ...readPoolOptions({
      name,
      ...(threads === undefined ? { command } : threadsOf(threads)),
      register: true,
      env: waitReady ? { FDPASS_WAIT_READY: '1' } : {},
      workers,
      output: 'event',
      detached: true,
      timeouts: given({ warm, drain }),
      ...given({ balance, probationMs }),
    }),
    exclusive: true,
  });
}

function threadsOf({ script, execArgv, args }: NodeProgram) {
  return { kind: 'threads', exec: script, execArgv, args } as const;
}
