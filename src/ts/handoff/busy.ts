// HandoffBusyError: an upgrade cannot begin, and who is in the way.
import { FdpassError } from '../base/errors';
import type { Busy } from './payloads';

/** Of states that are none of an upgrade. */
const reasons: Record<string, (pid: number, age: string) => string> = {
  booting: (pid, age) =>
    `process ${pid} was first and is not ready yet, ${age}: there is nothing to take over`,
  rolling: (pid) => `process ${pid} is replacing its workers: wait for it, or call that off`,
  scaling: (pid) => `process ${pid} is changing the number of its workers: wait for it`,
};

/** ERR_HANDOFF_BUSY. Nothing was changed; try again when the other one is done. */
export class HandoffBusyError extends FdpassError implements Busy {
  /** The successor that is taking over, or the first process while it boots. */
  readonly pid: number;
  readonly ageMs: number;
  /** What it is doing: 'booting' (the first process, before its ready()), 'rolling' or 'scaling' (a pool), or a state of the protocol. */
  readonly state: string;

  constructor({ pid, ageMs, state }: Busy) {
    const age = `for ${Math.round(ageMs / 100) / 10} s`;
    super(
      'ERR_HANDOFF_BUSY',
      reasons[state]?.(pid, age) ?? `another upgrade is in progress: process ${pid}, state ${state}, ${age}`,
    );
    this.pid = pid;
    this.ageMs = ageMs;
    this.state = state;
  }
}
