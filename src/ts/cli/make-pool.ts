// makePool(): the pool that `fdpass run` drives.
import path from 'node:path';
import { given } from '../base/options';
import type { Balance } from '../handoff/pool-status';
import { readPoolOptions } from '../pool/options';
import { Pool } from '../pool/pool';
import type { NodeProgram } from './program';
import type { RunPool } from './run-pool';

/** Lets a program that knows nothing of fdpass take its listeners from the pool. */
const REGISTER = path.join(__dirname, '..', 'register.js');

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
  probationMs: number | undefined;
  drainMs: number | undefined;
}

/** @throws RangeError, ERR_HANDOFF_UNSAFE_DIRECTORY */
export function makePool(plan: PoolPlan): RunPool {
  const { name, threads, command, workers, balance, probationMs, drainMs } = plan;
  return new Pool({
    ...readPoolOptions({
      name,
      ...(threads === undefined ? { command } : threadsOf(threads)),
      env: environment(plan),
      workers,
      output: 'event',
      detached: true,
      ...given({ balance, probationMs }),
      ...(drainMs === undefined ? {} : { timeouts: { drain: drainMs } }),
    }),
    exclusive: true,
  });
}

/** Threads have no NODE_OPTIONS of their own. */
function threadsOf({ script, execArgv, args }: NodeProgram) {
  return { kind: 'threads', exec: script, execArgv: [...execArgv, '--require', REGISTER], args } as const;
}

function environment({ threads, waitReady }: PoolPlan): NodeJS.ProcessEnv {
  return {
    ...(threads === undefined ? { NODE_OPTIONS: withPreload(process.env['NODE_OPTIONS']) } : {}),
    ...(waitReady ? { FDPASS_WAIT_READY: '1' } : {}),
  };
}

/** A path with spaces is quoted; quotes and backslashes in it are escaped. node(1), NODE_OPTIONS */
function withPreload(options = ''): string {
  return `${options} --require "${REGISTER.replace(/["\\]/g, '\\$&')}"`.trim();
}
