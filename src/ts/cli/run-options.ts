// The command line of `fdpass run`.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { MAX_TIMEOUT_MS } from '../base/limits';
import { nearest } from '../base/options';
import { validateHandoffName } from '../handoff/control-address';
import type { Balance } from '../handoff/pool-status';
import { UsageError } from './command';
import { orTeach, parseCommandLine } from './command-line';
import type { PoolPlan } from './make-pool';
import { type MetricsPlace, readMetricsPlace } from './metrics-place';
import { readNodeProgram, refuseLauncher, requireNodeProgram } from './program';
import { serviceName } from './service-name';

export const BALANCES = ['kernel', 'reuseport', 'least', 'sticky'] as const;

const OPTIONS = {
  instances: { type: 'string', short: 'i' },
  balance: { type: 'string' },
  name: { type: 'string' },
  watch: { type: 'boolean' },
  'wait-ready': { type: 'boolean' },
  metrics: { type: 'string' },
  json: { type: 'boolean' },
  warm: { type: 'string' },
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
  const { json = false, watch = false, name, balance, metrics, warm, probation, drain } = values;
  if (positionals.length > 0 && !watch)
    throw new UsageError(
      `'${positionals[0]}' belongs behind --, or behind --watch: fdpass run -- node server.js`,
    );
  requireThere(positionals);
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
      warmMs: warm === undefined ? undefined : readMs('--warm', warm, 1),
      probationMs: probation === undefined ? undefined : readMs('--probation', probation, 0),
      drainMs: drain === undefined ? undefined : readMs('--drain', drain, 1),
    },
    metrics: metrics === undefined ? undefined : readMetricsPlace(metrics),
  };
}

function splitAtProgram(args: readonly string[]): { ours: string[]; command: string[] } {
  const at = args.indexOf('--');
  const command = at === -1 ? [] : args.slice(at + 1);
  if (command.length === 0 || command[0] === '') {
    const meant =
      at === -1 && /^[^-]/.test(args[0] ?? '') ? `-- ${args.join(' ')}` : '-i 4 -- node server.js';
    throw new UsageError(`the program is missing; it comes behind --: fdpass run ${meant}`);
  }
  refuseLauncher(command);
  return { ours: args.slice(0, at).flatMap(splitWatch), command };
}

/** '--watch=src' is '--watch src': the path may be left out, which parseArgs() does not know of such options. */
function splitWatch(word: string): string[] {
  return word.startsWith('--watch=') ? ['--watch', word.slice('--watch='.length)] : [word];
}

function requireThere(paths: readonly string[]): void {
  const missing = paths.find((one) => !existsSync(one));
  if (missing !== undefined) throw new UsageError(`--watch ${missing}: there is no such file or folder`);
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

function readBalance(text: string): Balance {
  const known = BALANCES.find((one) => one === text);
  if (known !== undefined) return known;
  const meant = nearest(text, BALANCES);
  const help = meant === undefined ? '' : `; did you mean ${meant}?`;
  throw new UsageError(`--balance takes ${BALANCES.join(', ')}, not '${text}'${help}`);
}

function readMs(option: string, text: string, min: number): number {
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= min && ms <= MAX_TIMEOUT_MS) return ms;
  throw new UsageError(`${option} takes milliseconds from ${min} to ${MAX_TIMEOUT_MS}, not '${text}'`);
}
