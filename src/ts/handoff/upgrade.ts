// upgrade(): starts a successor and sees it through, or ends it and says why it did not take over.
import { randomBytes } from 'node:crypto';
import { abortError, onCancel } from '../base/abort';
import { FdpassError, hasCode, invalidArgType } from '../base/errors';
import { validateObject } from '../base/validate';
import { TXN_BYTES } from './frame';
import { type Exit, type ProcessSeam, type SpawnedProcess, TXN_VARIABLE } from './process';
import type { Receipt } from './receipt';

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

/** An upgrade() that failed. This process serves on as before. */
export class UpgradeError extends FdpassError {
  /** The end of what the successor wrote to stderr, up to 8 KiB. */
  readonly stderr: string;
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  #name = 'UpgradeError';

  constructor(code: `ERR_${string}`, message: string, stderr: string, exit: Exit, cause: unknown) {
    const tail = stderr.trim() === '' ? '' : `\n--- the end of its stderr ---\n${stderr.trimEnd()}`;
    super(code, `${message}${tail}`, cause === undefined ? {} : { cause });
    if (cause instanceof Error && cause.name === 'AbortError') this.#name = cause.name;
    this.stderr = stderr;
    this.exitCode = exit.code;
    this.signal = exit.signal;
  }

  /** 'AbortError' if it was aborted, as everywhere. */
  override get name(): string {
    return this.#name;
  }
}

export interface UpgradeContext {
  seam: ProcessSeam;
  /** For booting, from the start of the process to its ready(). */
  warmMs: number;
  /** Keeps the lease for the successor. The result frees it, or gives false: the successor has taken over. */
  reserve(txn: string, pid: number): (reason: string) => boolean;
  /** Settles with the fate of the transaction that was reserved. */
  outcome: Promise<Receipt>;
}

/** How long a successor whose connection has ended may take to die by itself, so that its exit code can be told. */
const LAST_WORDS_MS = 1_000;

/** @throws UpgradeError: ERR_HANDOFF_SUCCESSOR_EXITED, ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_ABORTED, ERR_HANDOFF_PROTOCOL, ERR_HANDOFF_SPAWN */
export async function runUpgrade(options: UpgradeOptions, context: UpgradeContext): Promise<Receipt> {
  const { seam } = context;
  validateUpgradeOptions(options);
  const txn = randomBytes(TXN_BYTES).toString('hex');
  const child = seam.spawn({
    command: options.command ?? seam.command,
    args: options.args ?? seam.args,
    env: { ...seam.env, ...options.env, [TXN_VARIABLE]: txn },
  });
  const callOff = context.reserve(txn, child.pid ?? 0);
  let receipt: Receipt;
  try {
    receipt = await firstOf(child, options, context);
  } catch (error) {
    // First of all: nothing that the successor has said or will say may count any more. Then it can be killed.
    if (callOff((error as Error).message)) throw await bury(child, error as Error, seam);
    receipt = await context.outcome; // too late to call it off: it serves
  }
  child.release();
  return receipt;
}

function validateUpgradeOptions({ command, args, env, signal }: UpgradeOptions): void {
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
    const { seam, warmMs, outcome } = context;
    const stopSignal = onCancel({ signal: options.signal }, 'upgrade()', reject);
    const stopTimer = seam.setTimer(warmMs, () => {
      reject(new FdpassError('ERR_HANDOFF_TIMEOUT', `the successor was not ready within ${warmMs} ms`));
    });
    const settle = (): void => {
      stopSignal();
      stopTimer();
    };
    outcome.then(resolve, reject).finally(settle);
    child.exited
      .then(() => reject(new FdpassError('ERR_HANDOFF_ABORTED', 'the successor has ended')))
      .finally(settle);
  });
}

/** Makes sure that the successor is dead, and puts all that is known about its end into one error. */
async function bury(child: SpawnedProcess, reason: Error, seam: ProcessSeam): Promise<UpgradeError> {
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
  if (exit.error !== undefined) {
    const text = `the successor could not be started: ${exit.error.message}`;
    return new UpgradeError('ERR_HANDOFF_SPAWN', text, stderr, exit, exit.error);
  }
  if (!killed) {
    const how = exit.signal === null ? `exited with code ${exit.code}` : `was killed by ${exit.signal}`;
    return new UpgradeError(
      'ERR_HANDOFF_SUCCESSOR_EXITED',
      `the successor ${how} before it took over`,
      stderr,
      exit,
      reason,
    );
  }
  const code = 'code' in reason ? (reason.code as `ERR_${string}`) : 'ERR_HANDOFF_ABORTED';
  return new UpgradeError(code, `${reason.message}; the successor was killed`, stderr, exit, reason);
}
