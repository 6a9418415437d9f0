// ProbationOptions: how a process proves itself after it has taken over.
import { invalidArgType } from '../base/errors';
import { MAX_TIMEOUT_MS } from '../base/limits';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger, validateTimeout } from '../base/validate';
import type { Probation } from './payloads';

export interface ProbationOptions {
  /**
   * Milliseconds for which the predecessor stands by: it has stopped accepting and accepts again by itself if this
   * process dies, hangs, fails its health check or calls fail(). Default 10000. 0: no probation.
   */
  ms?: number;
  /** Milliseconds from one health check to the next. Default 1000. */
  interval?: number;
  /**
   * The health check: false, a rejection, or no answer within the predecessor's `timeouts.ping`, ends the probation,
   * and the predecessor serves again. Default: whoever answers is well.
   */
  health?: () => boolean | Promise<boolean>;
}

const OPTIONS: KnownNames<ProbationOptions> = { ms: true, interval: true, health: true };

const DEFAULTS: Probation = { ms: 10_000, intervalMs: 1_000 };

export function validateProbation(given: ProbationOptions = {}): Probation {
  validateOptions('options.probation', given, OPTIONS);
  const { ms = DEFAULTS.ms, interval = DEFAULTS.intervalMs, health } = given;
  validateInteger('options.probation.ms', ms, 0, MAX_TIMEOUT_MS);
  validateTimeout('options.probation.interval', interval);
  if (health !== undefined && typeof health !== 'function')
    throw invalidArgType('options.probation.health', 'a function', health);
  return { ms, intervalMs: interval };
}

/** @throws Error that says what is wrong */
export async function checkHealth(health: ProbationOptions['health']): Promise<void> {
  if (health === undefined) return;
  let well: unknown;
  try {
    well = await health();
  } catch (cause) {
    const text = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`the health check failed: ${text}`, { cause });
  }
  if (well !== true) throw new Error(`the health check said ${String(well)}`);
}
