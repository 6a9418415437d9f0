// WorkerError: what is known of a worker that was no good.
import { FdpassError } from '../base/errors';
import type { Worker } from './worker';

/** ERR_POOL_WORKER: with what is known of its end. */
export class WorkerError extends FdpassError {
  readonly worker: number;
  /** The end of what it wrote to stderr while it booted, up to 8 KiB; '' if this process does not see that. */
  readonly stderr: string;
  /** How it has ended by itself; null: it was made to, or that is not how. */
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  /** The message without the stderr. */
  readonly reason: string;
  /** What its last listen() was refused with, if one was. Some programs end with 0 then. */
  readonly listenError: string | null;
  /** It was ready, and was no good on probation. */
  readonly served: boolean;

  constructor(worker: Worker) {
    const { identity, called, fault, stderrTail, ownEnd } = worker;
    const reason = `${called} was no good: ${fault}`;
    const tail = stderrTail.trim() === '' ? '' : `\n--- the end of its stderr ---\n${stderrTail.trimEnd()}`;
    super('ERR_POOL_WORKER', `${reason}${tail}`, ownEnd?.error === undefined ? {} : { cause: ownEnd.error });
    this.worker = identity.worker;
    this.stderr = stderrTail;
    this.exitCode = ownEnd?.code ?? null;
    this.signal = ownEnd?.signal ?? null;
    this.reason = reason;
    this.listenError = worker.listenError ?? null;
    this.served = worker.servedMs > 0;
  }
}
