// Receipt: what an upgrade tells when it is over, and how it comes to know it.
import type { Accepting } from './payloads';

/** Milliseconds in each state of the protocol, as the old process saw it: 'warm' is the boot of the new one. */
export type StateTimes = Readonly<Record<string, number>>;

/** How the old process ended; 'died': without a word. */
export type DrainReceipt =
  | {
      /** Connections that ended by themselves. */
      closed: number;
      /** Connections that `timeouts.drain` cut. */
      forced: number;
      /** From the takeover to the end of the last one. */
      ms: number;
    }
  | 'died';

export interface Receipt {
  /** Of the successor. */
  pid: number;
  generation: number;
  predecessor: { pid: number; generation: number };
  /** From the start of the successor's process to its ready(). */
  startToReadyMs: number;
  /** From its connection to its ready(). */
  connectToReadyMs: number;
  /** From its ready() to "the predecessor has stopped accepting"; both accept for a part of it. */
  readyToStoppedMs: number;
  /** For so long, at least, both accepted: there was no moment in which nobody did. */
  overlapMs: number;
  states: StateTimes;
  /** Names. One whose address has changed is `bound` and `closed`. */
  listeners: {
    /** Handed over. */
    inherited: readonly string[];
    /** Opened by the successor. */
    bound: readonly string[];
    /** Not wanted any more. */
    closed: readonly string[];
  };
  /**
   * Connections that were accepted: by the predecessor in all its life, by the successor until it was alone for good.
   * Undefined if a successor of version 1 did not say.
   */
  accepted: { predecessor: number; successor: number | undefined };
  /** Resident bytes when both accepted. */
  memory: { predecessor: number; successor: number | undefined };
  /** Undefined while the predecessor drains. */
  drain?: DrainReceipt;
}

export interface Parties {
  pid: number;
  generation: number;
  predecessor: { pid: number; generation: number };
}

/** Keeps the times and figures of one transaction, on the holder's side. */
export class ReceiptDraft {
  readonly #now: () => number;
  readonly #connectedAt: number;
  readonly #states: Record<string, number> = {};
  #state: string;
  #stateSince: number;
  /** When the successor's process was started, on our clock. */
  #startedAt = 0;
  #readyAt = 0;
  #bothAcceptAt = 0;
  #stoppedAt = 0;
  #accepting: Accepting = { inherited: undefined, bound: [], rssBytes: undefined };
  #memory = 0;

  constructor(now: () => number, state: string) {
    this.#now = now;
    this.#connectedAt = this.#stateSince = now();
    this.#state = state;
  }

  /** For each step of the machine. */
  enter(state: string): void {
    if (state === this.#state) return;
    const now = this.#now();
    this.#states[this.#state] = now - this.#stateSince;
    this.#state = state;
    this.#stateSince = now;
  }

  started(uptimeMs: number): void {
    this.#startedAt = this.#now() - uptimeMs;
  }

  ready(): void {
    this.#readyAt = this.#now();
  }

  /** Before this process stops accepting. */
  pausing(accepting: Accepting, rssBytes: number): void {
    this.#bothAcceptAt = this.#now();
    this.#accepting = accepting;
    this.#memory = rssBytes;
  }

  paused(): void {
    this.#stoppedAt = this.#now();
  }

  /** Milliseconds of the state that it is in. */
  get inState(): number {
    return this.#now() - this.#stateSince;
  }

  /**
   * @param names of the listeners that were offered
   * @param accepted connections
   */
  receipt(parties: Parties, names: readonly string[], accepted: Receipt['accepted']): Receipt {
    const { inherited = names, bound, rssBytes } = this.#accepting;
    return {
      ...parties,
      startToReadyMs: this.#readyAt - this.#startedAt,
      connectToReadyMs: this.#readyAt - this.#connectedAt,
      readyToStoppedMs: this.#stoppedAt - this.#readyAt,
      overlapMs: this.#stoppedAt - this.#bothAcceptAt,
      states: { ...this.#states },
      listeners: { inherited, bound, closed: names.filter((name) => !inherited.includes(name)) },
      accepted,
      memory: { predecessor: this.#memory, successor: rssBytes },
    };
  }
}

/** What the predecessor sent with FINAL. Undefined if it is none: nothing depends on it. */
export function readReceipt(value: unknown): Receipt | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const receipt = value as Partial<Receipt>;
  const complete =
    typeof receipt.pid === 'number' &&
    typeof receipt.generation === 'number' &&
    [receipt.predecessor, receipt.states, receipt.listeners, receipt.accepted, receipt.memory].every(
      (part) => typeof part === 'object' && part !== null,
    );
  return complete ? (receipt as Receipt) : undefined;
}
