// PoolOptions: what createPool() is given, checked once.
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { invalidArgType, invalidArgValue } from '../base/errors';
import { MAX_TIMEOUT_MS } from '../base/limits';
import { given, type KnownNames, validateOptions } from '../base/options';
import { validateInteger, validateObject, validateTimeout } from '../base/validate';
import type { AddressLike } from '../fd/address';
import { type HandoffSettings, readOptions as readHandoffOptions } from '../handoff/options';
import type { Balance } from '../handoff/pool-status';
import { type HandoffTimeouts, validateTimeouts } from '../handoff/timeouts';
import type { StickyKey } from './balance/sticky-key';
import { ownNodeOptions } from './node-options';

/** Lets a program that knows nothing of fdpass take its listeners from the pool. */
const REGISTER = path.join(__dirname, '..', 'register.js');

/** Of one pool: more than any machine wants. */
export const MAX_WORKERS = 1_024;

/** How a worker that has crashed is started again. */
export interface RestartOptions {
  /** Milliseconds before the first new start. Each further one waits twice as long. Default 100. */
  minMs?: number;
  /** No pause is longer. Default 30000. */
  maxMs?: number;
  /** A worker that has served for so long has not failed at its start: the next pause is `minMs` again. Default 10000. */
  stableMs?: number;
}

export interface HeartbeatOptions {
  /** Milliseconds from an answer of a worker to the next question. Default 1000. */
  intervalMs?: number;
  /** A worker that has not answered for so long is stuck: it is killed and replaced. Default 10000. */
  timeoutMs?: number;
}

/** How `balance: 'sticky'` tells one client from another. */
export interface StickyOptions {
  /** By the first bytes of a connection: byCookie(), byServerName(), or a function. Default: by the address of the client. */
  key?: StickyKey;
  /** Of those bytes, at most. Default 4096. */
  maxBytes?: number;
  /** Milliseconds. A connection that has not said enough by then is told by its address. Default 2000. */
  timeoutMs?: number;
}

/** What a worker prints goes where the primary's own output does, or to the 'output' event of the pool. */
export type OutputMode = 'inherit' | 'event';

export interface PoolOptions {
  /**
   * Names the pool on this machine, as of createHandoff(): for `fdpass status` and its neighbours, and for a later primary,
   * which takes the workers over. Without a name there is none of that.
   */
  name?: string;
  /** Where commands and a later primary come. Default: a socket file in a directory of this user. '@name' needs no file system. */
  address?: AddressLike;
  /** Further user ids that may take over, or hand over. */
  allow?: readonly number[];
  /** A file that names the primary, as of createHandoff(). */
  pidFile?: string;
  /**
   * Who gets a new connection of a TCP or unix stream listener.
   * 'kernel', the default: whoever accepts first; the workers share one queue, and the primary has no part in it.
   * 'reuseport': each worker has a queue of its own, between which the kernel chooses; TCP only, others are shared.
   * 'least': the worker that has the fewest open; the primary accepts, and passes connections on in batches.
   * 'sticky': the same worker for the same client, by `sticky`.
   */
  balance?: Balance;
  sticky?: StickyOptions;
  /**
   * What workers do when their primary dies: 'serve', the default, until another one of that name takes them back; 'drain':
   * let their connections end, and end. Without a name nobody could take them back: they drain. Threads end with their process.
   */
  orphans?: 'serve' | 'drain';
  /** The worker's program: a file of JavaScript, relative to `cwd`. */
  exec?: string;
  /** Behind it, as process.argv.slice(2). */
  args?: readonly string[];
  /**
   * Options of Node for the workers. Default: those of this process, without a program on its command line (-e). Of threads also
   * --max-old-space-size, --max-semi-space-size and --stack-size, for each of them; others of a whole process are refused.
   */
  execArgv?: readonly string[];
  /** Instead of `exec`: a whole command line, the program first. Only for processes. */
  command?: readonly string[];
  /**
   * Preloads fdpass/register in front of the program, which need not know of fdpass then: its server.listen() takes its socket from
   * the pool. Of `command` by NODE_OPTIONS. Default false.
   */
  register?: boolean;
  /** Added to the environment of this process. */
  env?: NodeJS.ProcessEnv;
  /** Default: that of this process. */
  cwd?: string;
  /** Default 'processes'. Threads share the memory of this process, and its end. */
  kind?: 'processes' | 'threads';
  /** How many; 'max', the default: one for each processor that this process may use. */
  workers?: number | 'max';
  /** `warm`: from the start of a worker to its ready(). `drain`: for its connections. `exit`: from then to its end. */
  timeouts?: Partial<Pick<HandoffTimeouts, 'warm' | 'drain' | 'exit'>>;
  /** A worker that has called ready() has to go on for so many milliseconds before it replaces another, and so has a primary. Default 1000. */
  probationMs?: number;
  restart?: RestartOptions;
  heartbeat?: HeartbeatOptions;
  /** Workers that a rolling restart replaces at the same time. Default 1. */
  atOnce?: number;
  output?: OutputMode;
  /** Worker processes have a session of their own, so that Ctrl-C in a terminal is for this process only. setsid(2) */
  detached?: boolean;
}

export interface WorkerProgram {
  kind: 'processes' | 'threads';
  /** Of processes: the program and its arguments. */
  command: readonly string[];
  /** Of threads: the file and what belongs to it. */
  exec: string;
  args: readonly string[];
  /** Of threads: options of Node that were given for them. Undefined: those of this process. */
  execArgv: readonly string[] | undefined;
  /** Of threads: the options that preload. */
  preload: readonly string[];
  env: NodeJS.ProcessEnv;
  cwd: string;
  output: OutputMode;
  detached: boolean;
  register: boolean;
  orphans: 'serve' | 'drain';
}

export interface PoolSettings {
  /** A second start of that name is a mistake, and no takeover. */
  exclusive?: boolean;
  /** Undefined: it has no name. */
  service: HandoffSettings | undefined;
  balance: Balance;
  sticky: StickyOptions;
  timeouts: HandoffTimeouts;
  program: WorkerProgram;
  workers: number;
  probationMs: number;
  restart: Required<RestartOptions>;
  heartbeat: Required<HeartbeatOptions>;
  atOnce: number;
}

const BALANCES = ['kernel', 'reuseport', 'least', 'sticky'] as const;

/** Of the bytes that are looked at before anybody reads them: what a socket buffers anyway. */
const MAX_STICKY_BYTES = 64 * 1024;

const STICKY: KnownNames<StickyOptions> = { key: true, maxBytes: true, timeoutMs: true };

const OPTIONS: KnownNames<PoolOptions> = {
  name: true,
  address: true,
  allow: true,
  pidFile: true,
  balance: true,
  sticky: true,
  orphans: true,
  timeouts: true,
  exec: true,
  args: true,
  execArgv: true,
  command: true,
  register: true,
  env: true,
  cwd: true,
  kind: true,
  workers: true,
  probationMs: true,
  restart: true,
  heartbeat: true,
  atOnce: true,
  output: true,
  detached: true,
};

const RESTART: Required<RestartOptions> = { minMs: 100, maxMs: 30_000, stableMs: 10_000 };
const HEARTBEAT: Required<HeartbeatOptions> = { intervalMs: 1_000, timeoutMs: 10_000 };

/** @throws TypeError, RangeError */
export function readPoolOptions(options: PoolOptions): PoolSettings {
  validateOptions('options', options, OPTIONS);
  const { probationMs = 1_000, atOnce = 1 } = options;
  return {
    service: readService(options, probationMs),
    balance: oneOf('options.balance', options.balance ?? 'kernel', BALANCES),
    sticky: readSticky(options),
    timeouts: validateTimeouts(options.timeouts),
    program: readProgram(options),
    workers: readSize('options.workers', options.workers),
    probationMs: validateInteger('options.probationMs', probationMs, 0, MAX_TIMEOUT_MS),
    restart: readTimes('options.restart', options.restart, RESTART),
    heartbeat: readTimes('options.heartbeat', options.heartbeat, HEARTBEAT),
    atOnce: validateInteger('options.atOnce', atOnce, 1, MAX_WORKERS),
  };
}

function readService(options: PoolOptions, probationMs: number): HandoffSettings | undefined {
  const { name, address, allow, pidFile, orphans, timeouts } = options;
  const rest = { address, allow, pidFile };
  if (name !== undefined)
    return readHandoffOptions({ name, ...given({ ...rest, timeouts }), probation: { ms: probationMs } });
  for (const [option, value] of Object.entries({ ...rest, orphans }))
    if (value !== undefined)
      throw invalidArgValue(`options.${option} is of a pool that others can find: give options.name, too`);
  return undefined;
}

function readSticky({ sticky = {}, balance }: PoolOptions): StickyOptions {
  validateOptions('options.sticky', sticky, STICKY);
  if (balance !== 'sticky' && Object.keys(sticky).length > 0)
    throw invalidArgValue("options.sticky is for balance: 'sticky'");
  const { key, maxBytes, timeoutMs } = sticky;
  if (key !== undefined && typeof key !== 'function')
    throw invalidArgType('options.sticky.key', 'a function', key);
  if (maxBytes !== undefined) validateInteger('options.sticky.maxBytes', maxBytes, 1, MAX_STICKY_BYTES);
  if (timeoutMs !== undefined) validateTimeout('options.sticky.timeoutMs', timeoutMs);
  return sticky;
}

/** 'max' and undefined: as many as processors that this process may use. */
export function readSize(what: string, size: number | 'max' | undefined): number {
  if (size === undefined || size === 'max') return Math.min(availableParallelism(), MAX_WORKERS);
  return validateInteger(what, size, 1, MAX_WORKERS);
}

function readProgram(options: PoolOptions): WorkerProgram {
  const { exec, command, args = [], execArgv, env = {}, cwd = process.cwd() } = options;
  const kind = oneOf('options.kind', options.kind ?? 'processes', ['processes', 'threads'] as const);
  if ((exec === undefined) === (command === undefined))
    throw invalidArgValue(
      'options has to have either exec, a file of JavaScript, or command, a whole command line',
    );
  if (command !== undefined && kind === 'threads')
    throw invalidArgValue('options.command starts processes: threads take options.exec');
  if (exec !== undefined && typeof exec !== 'string') throw invalidArgType('options.exec', 'a path', exec);
  if (typeof cwd !== 'string') throw invalidArgType('options.cwd', 'a path', cwd);
  for (const [what, list] of Object.entries({ command: command ?? ['x'], args, execArgv: execArgv ?? [] })) {
    if (!Array.isArray(list) || list.some((one) => typeof one !== 'string'))
      throw invalidArgType(`options.${what}`, 'an array of strings', list);
  }
  if (command?.length === 0) throw invalidArgValue('options.command is empty: give a program');
  validateObject('options.env', env);
  const file = exec === undefined ? '' : path.resolve(cwd, exec);
  const preload = options.register === true ? ['--require', REGISTER] : [];
  return {
    kind,
    command: command ?? [process.execPath, ...(execArgv ?? ownNodeOptions()), ...preload, file, ...args],
    exec: file,
    args,
    execArgv,
    preload,
    env: command === undefined || preload.length === 0 ? env : { ...env, NODE_OPTIONS: withPreload(env) },
    cwd,
    output: oneOf('options.output', options.output ?? 'inherit', ['inherit', 'event'] as const),
    detached: options.detached === true,
    register: options.register === true,
    orphans: oneOf('options.orphans', options.orphans ?? 'serve', ['serve', 'drain'] as const),
  };
}

/** A path with spaces is quoted; quotes and backslashes in it are escaped. node(1), NODE_OPTIONS */
function withPreload({ NODE_OPTIONS = process.env['NODE_OPTIONS'] ?? '' }: NodeJS.ProcessEnv): string {
  return `${NODE_OPTIONS} --require "${REGISTER.replace(/["\\]/g, '\\$&')}"`.trim();
}

function readTimes<T extends object>(what: string, given: T | undefined, defaults: Required<T>): Required<T> {
  if (given === undefined) return defaults;
  validateOptions(what, given, defaults);
  const times = { ...defaults };
  for (const name of Object.keys(given) as (keyof T & string)[]) {
    const value: unknown = given[name];
    if (value !== undefined)
      times[name] = validateTimeout(`${what}.${name}`, value) as Required<T>[typeof name];
  }
  return times;
}

function oneOf<T extends string>(what: string, value: unknown, known: readonly T[]): T {
  if ((known as readonly unknown[]).includes(value)) return value as T;
  throw invalidArgType(what, known.map((one) => `'${one}'`).join(' or '), value);
}
