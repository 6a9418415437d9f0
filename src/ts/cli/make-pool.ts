// makePool(): the pool that `fdpass run` is to drive.
import { FdpassError } from '../base/errors';
import type { MetricsPlace } from './metrics-place';
import type { NodeProgram } from './program';
import type { RunPool } from './run-pool';

export interface PoolPlan {
  name: string;
  /** The program and its arguments. It preloads 'fdpass/register'. */
  command: readonly string[];
  /** Of worker threads: instead of the command. */
  threads: NodeProgram | undefined;
  workers: number | 'max';
  /** undefined: as createPool() has it. */
  balance: string | undefined;
  waitReady: boolean;
  probationMs: number | undefined;
  drainMs: number | undefined;
  metrics: MetricsPlace | undefined;
}

export function makePool({ name }: PoolPlan): RunPool {
  throw new FdpassError('ERR_FDPASS_UNSUPPORTED_RUNTIME', `${name}: this build has no pool`);
}
