// upgrade(): starts a successor and sees it through, or ends it and says why it did not take over.
import { setImmediate as nextTurn } from 'node:timers/promises';
import { abortError, onCancel } from '../base/abort';
import { FdpassError, hasCode, invalidArgType } from '../base/errors';
import { type KnownNames, validateOptions } from '../base/options';
import { validateObject } from '../base/validate';
import {
  type Exit,
  newTxn,
  type ProcessSeam,
  SERVICE_VARIABLE,
  type SpawnedProcess,
  type SpawnSpec,
  TXN_VARIABLE,
} from './process';
import type { Receipt } from './receipt';
import type { HandoffTimeouts } from './timeouts';

export interface UpgradeOptions {
  /** The program. Default: this very one, process.execPath. */
  command?: string;
  /** Default: those of this process, process.execArgv and process.argv. */
  args?: readonly string[];
  /** Added to this process's own. */
  env?: NodeJS.ProcessEnv;
  /** Aborts: the successor is killed, this process serves on. */
  signal?: AbortSignal;
}

const OPTIONS: KnownNames<UpgradeOptions> = { command: true, args: true, env: true, signal: true };

/** An upgrade() that failed. This process serves: it never stopped, or, after ERR_HANDOFF_ROLLED_BACK, again. */
export class UpgradeError extends FdpassError {
  /** The end of what the successor wrote to stderr, up to 8 KiB. */
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The message without the stderr. */
  readonly reason: string;
  #name = 'UpgradeError';

  constructor(code: `ERR_${string}`, message: string, stderr: string, exit: Exit, cause: unknown) {
    const tail = stderr.trim() === '' ? '' : `\n--- the end of its stderr ---\n${stderr.trimEnd()}`;
    super(code, `${message}${tail}`, cause === undefined ? {} : { cause });
    if (cause instanceof Error && cause.name === 'AbortError') this.#name = cause.name;
    this.reason = message;
    this.stderr = stderr;
    this.exitCode = exit.code;
    this.signal = exit.signal;
  }

  /** 'AbortError' if it was aborted, as everywhere. */
  override get name(): string {
    return this.#name;
  }

  /** For where the successor's stderr is already: it has come through this process. */
  withoutStderr(): UpgradeError {
    const exit = { code: this.exitCode, signal: this.signal };
    return new UpgradeError(this.code as `ERR_${string}`, this.reason, '', exit, this.cause);
  }
}

/** What becomes of the transaction that was reserved for an upgrade(). */
export class Fate {
  /** Resolves when the successor has called ready(). */
  readonly booted: Promise<void>;
  readonly outcome: Promise<Receipt>;
  ready: () => void = () => {};
  /** The successor may take so many milliseconds more to boot. */
  extend: (ms: number) => void = () => {};
  resolve: (receipt: Receipt) => void = () => {};
  reject: (error: Error) => void = () => {};

  constructor() {
    this.booted = new Promise((resolve) => {
      this.ready = resolve;
    });
    this.outcome = new Promise((resolve, reject) => {
      this.resolve = resolve;
      this.reject = reject;
    });
    this.outcome.catch(() => {}); // upgrade() may have stopped waiting for it
  }
}

/** All that is known: it was not heard of before. */
class SuccessorEnded extends FdpassError {
  constructor() {
    super('ERR_HANDOFF_ABORTED', 'the successor has ended');
  }
}

/** What became of a successor that this process gives up: 'too late', it serves and keeps the service. */
export type CalledOff = 'called off' | 'rolled back' | 'too late';

export interface UpgradeContext {
  /** The name of the service. */
  service: string;
  seam: ProcessSeam;
  /** `warm` from the start of the process to its ready(). */
  timeouts: HandoffTimeouts;
  fate: Fate;
  /** Keeps the lease for the successor. The result calls it off. */
  reserve(txn: string, pid: number): (reason: string) => CalledOff;
}

/** How long a successor whose connection has ended may take to die by itself, so that its exit code can be told. */
const LAST_WORDS_MS = 1_000;

/** @throws UpgradeError: ERR_HANDOFF_SUCCESSOR_EXITED, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_ABORTED, ERR_HANDOFF_PROTOCOL, ERR_HANDOFF_SPAWN */
export async function runUpgrade(options: UpgradeOptions, context: UpgradeContext): Promise<Receipt> {
  const { seam } = context;
  validateUpgradeOptions(options);
  const txn = newTxn();
  const own = seam.ownCommand();
  const child = start(seam, {
    command: options.command ?? own.command,
    args: options.args ?? own.args,
    cwd: own.cwd,
    env: { ...seam.env, ...options.env, [TXN_VARIABLE]: txn, [SERVICE_VARIABLE]: context.service },
  });
  const callOff = context.reserve(txn, child.pid ?? 0);
  try {
    const receipt = await settled(child, options, context, callOff);
    child.release();
    return receipt;
  } catch (error) {
    throw await bury(child, error as Error, context);
  }
}

/** @throws UpgradeError; TypeError of what Node does not take */
function start(seam: ProcessSeam, spec: SpawnSpec): SpawnedProcess {
  try {
    return seam.spawn(spec);
  } catch (error) {
    if (!(error instanceof Error) || !('syscall' in error)) throw error;
    throw notStarted(error, '', { code: null, signal: null }); // E2BIG, EMFILE
  }
}

function notStarted(error: Error, stderr: string, exit: Exit): UpgradeError {
  const text = `the successor could not be started: ${error.message}`;
  return new UpgradeError('ERR_HANDOFF_SPAWN', text, stderr, exit, error);
}

/** The receipt, or the reason why there is none, after which nothing that the successor says counts any more. */
async function settled(
  child: SpawnedProcess,
  options: UpgradeOptions,
  context: UpgradeContext,
  callOff: (reason: string) => CalledOff,
): Promise<Receipt> {
  try {
    return await firstOf(child, options, context);
  } catch (error) {
    // As with a deadline: what the successor has said in time is read first, and may have settled it.
    await nextTurn();
    const called = callOff((error as Error).message);
    if (called === 'called off') throw error;
    return await context.fate.outcome; // too late to call it off, and it serves; or rolled back, which says so
  }
}

function validateUpgradeOptions(options: UpgradeOptions): void {
  validateOptions('options', options, OPTIONS);
  const { command, args, env, signal } = options;
  if (command !== undefined && typeof command !== 'string')
    throw invalidArgType('options.command', 'a string', command);
  if (args !== undefined && !Array.isArray(args))
    throw invalidArgType('options.args', 'an array of strings', args);
  if (env !== undefined) validateObject('options.env', env);
  if (signal?.aborted) throw abortError(signal);
}

/** The receipt, or the first thing that makes it impossible. */
function firstOf(child: SpawnedProcess, options: UpgradeOptions, context: UpgradeContext): Promise<Receipt> {
  return new Promise((resolve, reject) => {
    const { seam, timeouts, fate } = context;
    const { warm } = timeouts;
    const stopSignal = onCancel({ signal: options.signal }, 'upgrade()', reject);
    let stopTimer = () => {};
    const giveIt = (ms: number, more: string): void => {
      stopTimer();
      const text = `the successor was not ready within ${ms} ms${more}`;
      stopTimer = seam.setTimer(ms, () => reject(new FdpassError('ERR_HANDOFF_TIMEOUT', text)));
    };
    giveIt(warm, '');
    fate.extend = (ms) => giveIt(ms, ', which it had asked for');
    void fate.booted.then(() => stopTimer());
    const settle = (): void => {
      stopSignal();
      stopTimer();
    };
    fate.outcome.then(resolve, reject).finally(settle);
    child.exited.then(() => reject(new SuccessorEnded())).finally(settle);
  });
}

/** Makes sure that the successor ends, and puts all that is known about it into one error. */
async function bury(
  child: SpawnedProcess,
  reason: Error,
  { seam, timeouts, service }: UpgradeContext,
): Promise<UpgradeError> {
  const rolledBack = hasCode(reason, 'ERR_HANDOFF_ROLLED_BACK');
  if (rolledBack && hasCode(reason.cause, 'ERR_HANDOFF_ABORTED'))
    return await letGo(child, reason, seam, timeouts);
  let killed = false;
  const kill = (): void => {
    killed = true;
    child.kill();
  };
  const wentAway = hasCode(reason, 'ERR_HANDOFF_ABORTED') && reason.name !== 'AbortError';
  const cancel = wentAway ? seam.setTimer(LAST_WORDS_MS, kill) : () => {};
  if (!wentAway) kill();
  const exit = await child.exited;
  cancel();
  const stderr = child.stderrTail();
  if (exit.error !== undefined) return notStarted(exit.error, stderr, exit);
  if (!killed) {
    const text = `the successor ${howItEnded(exit)} before it took over${exit.code === 0 ? doesItJoin(service) : ''}`;
    // That it has ended is said already; how far it was is not.
    const cause = reason instanceof SuccessorEnded ? undefined : reason;
    return new UpgradeError('ERR_HANDOFF_SUCCESSOR_EXITED', text, stderr, exit, cause);
  }
  const code = 'code' in reason ? (reason.code as `ERR_${string}`) : 'ERR_HANDOFF_ABORTED';
  return new UpgradeError(code, `${reason.message}; the successor was killed`, stderr, exit, reason);
}

// A successor that has served has connections: they may end in its own time. One that hangs is killed.
async function letGo(
  child: SpawnedProcess,
  reason: Error,
  seam: ProcessSeam,
  { drain, exit: grace }: HandoffTimeouts,
): Promise<UpgradeError> {
  const cancel = seam.setTimer(drain + 2 * grace, () => child.kill());
  void child.exited.then(cancel);
  child.release();
  const running: Exit = { code: null, signal: null };
  // If its death was the reason, its exit code is known at once.
  const exit = await Promise.race([child.exited, after(seam, LAST_WORDS_MS, running)]);
  const ended = exit === running ? '' : `; the successor ${howItEnded(exit)}`;
  const text = `rolled back: ${reason.message}${ended}`;
  return new UpgradeError('ERR_HANDOFF_ROLLED_BACK', text, child.stderrTail(), exit, reason);
}

function after<T>(seam: ProcessSeam, ms: number, value: T): Promise<T> {
  return new Promise((resolve) => seam.setTimer(ms, () => resolve(value)));
}

/** A program that does what it is to do, and is none of this service. */
function doesItJoin(service: string): string {
  return `: does it call createHandoff({ name: '${service}' }), and wait for ready()?`;
}

function howItEnded({ code, signal }: Exit): string {
  return signal === null ? `exited with code ${code}` : `was killed by ${signal}`;
}
