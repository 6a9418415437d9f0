// Waiting that can be aborted: AbortSignal and deadlines, with nothing left behind once settled.
import { setMaxListeners } from 'node:events';
import { FdpassError, invalidArgType } from './errors';
import { type KnownNames, validateOptions } from './options';
import { validateTimeout } from './validate';

export interface WaitOptions {
  /** Rejects with an AbortError whose `cause` is the signal's reason. */
  signal?: AbortSignal | undefined;
  /** Milliseconds. Rejects with ERR_FDPASS_TIMEOUT. */
  timeout?: number | undefined;
}

export const WAIT_OPTIONS: KnownNames<WaitOptions> = { signal: true, timeout: true };

export function abortError(signal: AbortSignal): Error {
  const error = new Error('The operation was aborted', { cause: signal.reason });
  error.name = 'AbortError';
  return Object.assign(error, { code: 'ABORT_ERR' });
}

export function validateSignal(name: string, signal: unknown): void {
  if (signal !== undefined && !(signal instanceof AbortSignal)) {
    throw invalidArgType(name, 'an AbortSignal', signal);
  }
}

/**
 * For the first lines of a function that may not need to wait at all. Throws at once if already aborted.
 * @param known of a function with more options than these
 */
export function validateWaitOptions(
  options: WaitOptions,
  known: KnownNames<WaitOptions> = WAIT_OPTIONS,
): void {
  validateOptions('options', options, known);
  const { signal, timeout } = options;
  validateSignal('options.signal', signal);
  if (timeout !== undefined) validateTimeout('options.timeout', timeout);
  if (signal?.aborted) throw abortError(signal);
}

/** For all who wait without a signal and a timeout: thousands may, and each would keep its own. */
const NOTHING_TO_END = (): void => {};

/**
 * Calls `cancel` once, with the error to reject with, when the signal aborts or the time is over.
 * The result ends the watch; call it when the wait has settled. Throws at once if already aborted.
 */
export function onCancel(options: WaitOptions, what: string, cancel: (error: Error) => void): () => void {
  const { signal, timeout } = options;
  if (signal === undefined && timeout === undefined) return NOTHING_TO_END;
  validateSignal('options.signal', signal);
  if (signal?.aborted) throw abortError(signal);
  let timer: NodeJS.Timeout | undefined;
  const stop = (): void => {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  };
  const onAbort = (): void => {
    stop();
    cancel(abortError(signal as AbortSignal));
  };
  if (timeout !== undefined) {
    const ms = validateTimeout('timeout', timeout);
    timer = setTimeout(() => {
      stop();
      cancel(new FdpassError('ERR_FDPASS_TIMEOUT', `${what} did not finish within ${ms} ms`));
    }, ms);
  }
  // One signal for a hundred sockets is no leak; at the eleventh Node would warn of one. (0, its other word for
  // "no limit", makes getMaxListeners() of Node 20 throw.)
  if (signal !== undefined) setMaxListeners(Number.POSITIVE_INFINITY, signal);
  signal?.addEventListener('abort', onAbort);
  return stop;
}
