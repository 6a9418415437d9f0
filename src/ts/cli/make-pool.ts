// makePool(): the pool that `fdpass run` drives.
import path from 'node:path';
import { FdpassError } from '../base/errors';
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
  balance: string | undefined;
  waitReady: boolean;
  probationMs: number | undefined;
  drainMs: number | undefined;
}

/** @throws RangeError; ERR_FDPASS_UNSUPPORTED: something that pools cannot do yet */
export function makePool(plan: PoolPlan): RunPool {
  requireKnown(plan);
  const { threads, command, workers, probationMs, drainMs } = plan;
  return new Pool(
    readPoolOptions({
      ...(threads === undefined ? { command } : threadsOf(threads)),
      env: environment(plan),
      workers,
      output: 'event',
      detached: true,
      ...(probationMs === undefined ? {} : { probationMs }),
      ...(drainMs === undefined ? {} : { timeouts: { drain: drainMs } }),
    }),
  );
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

/** Nobody shall go without what was asked for. */
function requireKnown({ balance = 'kernel' }: PoolPlan): void {
  if (balance !== 'kernel')
    throw new FdpassError('ERR_FDPASS_UNSUPPORTED', `this version has no --balance ${balance} yet`);
}
