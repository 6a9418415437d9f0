// How long each step of a handoff may take. Every wait of the protocol has one of these.
import { validateTimeout } from '../base/validate';

export interface HandoffTimeouts {
  /** Milliseconds from connecting to HELLO, and from HELLO to OFFER. Default 5000. */
  hello: number;
  /** For each packet of descriptors and its acknowledgement. Default 5000. */
  fds: number;
  /** From the last descriptor (or from the start of the process by upgrade()) to ready(). Default 60000. */
  warm: number;
  /** From ready() to COMMIT, and from COMMIT to "every listener accepts". Default 2000. */
  commit: number;
  /** From the takeover until what still runs in the old process is cut. Default 30000. */
  drain: number;
  /** From the end of the drain until a process that something else keeps alive is ended. Default 5000. */
  exit: number;
}

const DEFAULTS: HandoffTimeouts = {
  hello: 5_000,
  fds: 5_000,
  warm: 60_000,
  commit: 2_000,
  drain: 30_000,
  exit: 5_000,
};

export function validateTimeouts(given: Partial<HandoffTimeouts> = {}): HandoffTimeouts {
  const timeouts = { ...DEFAULTS };
  for (const name of Object.keys(DEFAULTS) as (keyof HandoffTimeouts)[]) {
    const value = given[name];
    if (value !== undefined) timeouts[name] = validateTimeout(`options.timeouts.${name}`, value);
  }
  return timeouts;
}
