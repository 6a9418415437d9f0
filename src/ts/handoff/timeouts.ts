// How long each step of a handoff may take. Every wait of the protocol has one of these.
import { validateOptions } from '../base/options';
import { validateTimeout } from '../base/validate';

export interface HandoffTimeouts {
  /** Milliseconds from connecting to HELLO, and from HELLO to OFFER. Default 5000. */
  hello: number;
  /** For each packet of descriptors and its acknowledgement. Default 5000. */
  fds: number;
  /** From the last descriptor (or from the start of the process by upgrade()) to ready(). Default 60000. */
  warm: number;
  /** For the answer of a successor that is ready, and of one on probation, its health check included. Default 2000. */
  ping: number;
  /** From ready() to COMMIT, and from COMMIT to "every listener accepts". Default 2000. */
  commit: number;
  /** From the takeover until what still runs in the old process is cut. Default 30000. */
  drain: number;
  /** The same for the oldest of more than three processes, from when there are so many. Default 5000. */
  hurry: number;
  /** From the end of the drain until a process that something else keeps alive is ended. Default 5000. */
  exit: number;
}

const DEFAULTS: HandoffTimeouts = {
  hello: 5_000,
  fds: 5_000,
  warm: 60_000,
  ping: 2_000,
  commit: 2_000,
  drain: 30_000,
  hurry: 5_000,
  exit: 5_000,
};

export function validateTimeouts(given: Partial<HandoffTimeouts> = {}): HandoffTimeouts {
  validateOptions('options.timeouts', given, DEFAULTS);
  const timeouts = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof HandoffTimeouts)[]) {
    const value = given[name];
    if (value !== undefined) timeouts[name] = validateTimeout(`options.timeouts.${name}`, value);
  }
  return timeouts;
}
