// The command line of `fdpass run`.
import path from 'node:path';
import { MAX_TIMEOUT_MS } from '../base/limits';
import { nearest } from '../base/options';
import { validateHandoffName } from '../handoff/control-address';
import { UsageError } from './command';
import { orTeach, parseCommandLine } from './command-line';
import type { PoolPlan } from './make-pool';
import { type MetricsPlace, readMetricsPlace } from './metrics-place';
import { readNodeProgram, refuseLauncher, requireNodeProgram } from './program';
import { serviceName } from './service-name';
import { readCount } from './target';

export const BALANCES = ['kernel', 'reuseport', 'least', 'sticky'] as const;

const OPTIONS = {
  instances: { type: 'string', short: 'i' },
  balance: { type: 'string' },
  name: { type: 'string' },
  watch: { type: 'boolean' },
  'wait-ready': { type: 'boolean' },
  metrics: { type: 'string' },
  json: { type: 'boolean' },
  probation: { type: 'string' },
  drain: { type: 'string' },
  threads: { type: 'boolean' },
} as const;

export interface RunOptions {
  plan: PoolPlan;
  /** Files and folders; undefined: do not watch. */
  watch: string[] | undefined;
  json: boolean;
  /** undefined: nobody asks for them. */
  metrics: MetricsPlace | undefined;
}

/** @throws UsageError */
export function readRunOptions(args: readonly string[]): RunOptions {
  const { ours, command } = splitAtProgram(args);
  const { values, positionals } = parseCommandLine({ args: ours, options: OPTIONS, allowPositionals: true });
  const { json = false, watch = false, name, balance, metrics, probation, drain } = values;
  if (positionals.length > 0 && !watch)
    throw new UsageError(
      `'${positionals[0]}' belongs behind --, or behind --watch: fdpass run -- node server.js`,
    );
  return {
    json,
    watch: watch ? (positionals.length > 0 ? positionals : ['.']) : undefined,
    plan: {
      name: name === undefined ? nameOf(command) : orTeach(() => validateHandoffName(name)),
      command,
      threads: values.threads === true ? requireNodeProgram(command) : undefined,
      workers: readInstances(values.instances ?? 'max'),
      balance: balance === undefined ? undefined : readBalance(balance),
      waitReady: values['wait-ready'] ?? false,
      probationMs: probation === undefined ? undefined : readCount('--probation', probation, MAX_TIMEOUT_MS),
      drainMs: drain === undefined ? undefined : readDrain(drain),
    },
    metrics: metrics === undefined ? undefined : readMetricsPlace(metrics),
  };
}

function splitAtProgram(args: readonly string[]): { ours: string[]; command: string[] } {
  const at = args.indexOf('--');
  const command = at === -1 ? [] : args.slice(at + 1);
  if (command.length === 0 || command[0] === '')
    throw new UsageError('the program is missing; it comes behind --: fdpass run -i 4 -- node server.js');
  refuseLauncher(command);
  return { ours: args.slice(0, at), command };
}

function nameOf(command: readonly string[]): string {
  const script = readNodeProgram(command)?.script ?? command[0] ?? '';
  return serviceName(path.resolve(script));
}

function readInstances(text: string): number | 'max' {
  if (text === 'max') return text;
  if (/^[1-9]\d{0,3}$/.test(text)) return Number(text);
  throw new UsageError(`-i takes a number of workers from 1, or max, not '${text}'`);
}

function readBalance(text: string): string {
  if ((BALANCES as readonly string[]).includes(text)) return text;
  const meant = nearest(text, BALANCES);
  const help = meant === undefined ? '' : `; did you mean ${meant}?`;
  throw new UsageError(`--balance takes ${BALANCES.join(', ')}, not '${text}'${help}`);
}

function readDrain(text: string): number {
  const ms = readCount('--drain', text, MAX_TIMEOUT_MS);
  if (ms === 0) throw new UsageError('--drain takes milliseconds from 1');
  return ms;
}
