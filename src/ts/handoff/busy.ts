// HandoffBusyError: an upgrade cannot begin, and who is in the way.
import { FdpassError } from '../base/errors';
import type { Busy } from './payloads';

/** ERR_HANDOFF_BUSY. Nothing was changed; try again when the other one is done. */
export class HandoffBusyError extends FdpassError implements Busy {
  /** The successor that is taking over, or the first process while it boots. */
  readonly pid: number;
  readonly ageMs: number;
  /** What it is doing: 'booting' (the first process, before its ready()), or a state of the protocol. */
  readonly state: string;

  constructor({ pid, ageMs, state }: Busy) {
    const age = `for ${Math.round(ageMs / 100) / 10} s`;
    super(
      'ERR_HANDOFF_BUSY',
      state === 'booting'
        ? `process ${pid} was first and is not ready yet, ${age}: there is nothing to take over`
        : `another upgrade is in progress: process ${pid}, state ${state}, ${age}`,
    );
    this.pid = pid;
    this.ageMs = ageMs;
    this.state = state;
  }
}
