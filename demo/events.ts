/** Owns what the servers of the demo tell it: the lines they print on stdout, typed, kept, and awaited. */
import { EventEmitter, once } from 'node:events';

export interface Receipt {
  readonly generation: number;
  readonly pid: number;
  readonly predecessor: { readonly generation: number; readonly pid: number };
  readonly startToReadyMs: number;
  readonly readyToStoppedMs: number;
  readonly connectToReadyMs: number;
}

export type ServerEvent =
  | { readonly event: 'ready'; readonly generation: number; readonly pid: number; readonly port: number }
  /** Only from naive-server.ts: it is up and would like to have the port. */
  | { readonly event: 'booted'; readonly generation: number; readonly pid: number }
  | { readonly event: 'superseded'; readonly receipt: Receipt }
  | {
      readonly event: 'upgrade-failed';
      readonly pid: number;
      readonly code?: string;
      readonly message: string;
      readonly stderr?: string;
      /** Of the handoff, then. */
      readonly state: string;
    }
  | { readonly event: 'exit'; readonly generation: number; readonly pid: number; readonly code: number }
  /** Not printed by a server: its parent, the demo, saw it end. */
  | {
      readonly event: 'child-exit';
      readonly pid: number;
      readonly code: number | null;
      readonly signal: string | null;
    };

export type NamedEvent<Name extends ServerEvent['event']> = Extract<ServerEvent, { event: Name }>;

/** Every event of a run with the time of its arrival. Waiting looks at the past too: nothing is missed between two awaits. */
export class EventLog {
  readonly #entries: { readonly atMs: number; readonly event: ServerEvent }[] = [];
  readonly #arrivals = new EventEmitter().setMaxListeners(0);

  add(event: ServerEvent, atMs: number): void {
    this.#entries.push({ atMs, event });
    this.#arrivals.emit('event');
  }

  /** A place in the log: what comes later is at or after it. */
  get end(): number {
    return this.#entries.length;
  }

  /** Resolves with the first event at or after `since` that `pick` returns something for; `what` names it in the error of the deadline. */
  async waitFor<T>(
    what: string,
    pick: (event: ServerEvent, atMs: number) => T | undefined,
    options: { since: number; timeoutMs: number; signal: AbortSignal },
  ): Promise<T> {
    // Not AbortSignal.timeout(): its timer is unref'd, and the demo would end silently when nothing else is left.
    const timeout = new AbortController();
    const timer = setTimeout(() => timeout.abort(), options.timeoutMs);
    try {
      return await this.#next(pick, options.since, AbortSignal.any([timeout.signal, options.signal]));
    } catch (cause) {
      options.signal.throwIfAborted();
      if (!timeout.signal.aborted) throw cause;
      throw new Error(`waited ${options.timeoutMs} ms for ${what}`, { cause });
    } finally {
      clearTimeout(timer);
    }
  }

  async #next<T>(
    pick: (event: ServerEvent, atMs: number) => T | undefined,
    since: number,
    signal: AbortSignal,
  ): Promise<T> {
    for (let next = since; ; ) {
      for (; next < this.#entries.length; next++) {
        const entry = this.#entries[next];
        const picked = entry && pick(entry.event, entry.atMs);
        if (picked !== undefined) return picked;
      }
      await once(this.#arrivals, 'event', { signal });
    }
  }
}

/** null for a line that is not one of ours (a warning of Node's, a line of a user's own). */
export function parseEvent(line: string): ServerEvent | null {
  try {
    const value: unknown = JSON.parse(line);
    // Only our own server writes here: the name of the event decides the shape.
    return typeof value === 'object' && value !== null && 'event' in value ? (value as ServerEvent) : null;
  } catch {
    // Not JSON, so not an event; the caller keeps the line for the report of a failure.
    return null;
  }
}
