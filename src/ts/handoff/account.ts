// Account: what a process can tell of itself and of the generations beside it, for `fdpass status` and its neighbours.

import { type LastFailure, REASON_CHARS, type ServiceStatus } from './command';
import type { Figures, GenerationStatus } from './payloads';
import type { ProcessSeam } from './process';
import type { Registry } from './registry';
import type { HandoffState } from './status';

/** Where the process stands in its service right now. */
export interface Standing {
  name: string;
  generation: number;
  state: HandoffState;
  /** Undefined once it has left. */
  predecessor: { pid: number; generation: number } | undefined;
  /** The predecessor and those before it, as it has told last. */
  heard: readonly GenerationStatus[];
  /** Who is taking over. */
  successor: GenerationStatus | undefined;
}

export class Account {
  readonly #seam: ProcessSeam;
  readonly #registry: Registry;
  #failure: { code: string; reason: string; at: number } | undefined;

  constructor(seam: ProcessSeam, registry: Registry) {
    this.#seam = seam;
    this.#registry = registry;
  }

  /** An upgrade, or a roll, has failed: for whoever looks for the reason later. @param error its `reason` is without the stderr */
  note(error: Error): void {
    const { code = '', reason = error.message } = error as NodeJS.ErrnoException & { reason?: string };
    this.#failure = { code, reason: reason.slice(0, REASON_CHARS), at: this.#seam.now() };
  }

  figures(): Required<Figures> {
    const connections = this.#registry.status().reduce((sum, listener) => sum + listener.connections, 0);
    return { ageMs: this.#seam.uptimeMs(), connections, rssBytes: this.#seam.rssBytes() };
  }

  /** This process and those before it. */
  generations({ generation, state, predecessor, heard }: Standing): GenerationStatus[] {
    const told = state === 'superseded' ? 'draining' : state;
    const self = { generation, pid: this.#seam.pid, state: told, ...this.figures() };
    if (predecessor === undefined) return [self];
    const [before, ...others] = heard;
    return [self, { ...before, ...predecessor, state: stateBefore(state) }, ...others];
  }

  status(standing: Standing): ServiceStatus {
    const { name, generation, state, successor } = standing;
    return {
      name,
      pid: this.#seam.pid,
      generation,
      state,
      listeners: this.#registry.status(),
      ...this.figures(),
      generations: [...(successor === undefined ? [] : [successor]), ...this.generations(standing)],
      ...(this.#failure === undefined ? {} : { lastFailure: this.#lastFailure(this.#failure) }),
    };
  }

  #lastFailure({ code, reason, at }: { code: string; reason: string; at: number }): LastFailure {
    return { code, reason, agoMs: this.#seam.now() - at };
  }
}

/** Of the predecessor of a process that is in that state. */
function stateBefore(state: HandoffState): 'serving' | 'standby' | 'draining' {
  if (state === 'starting') return 'serving';
  return state === 'probation' ? 'standby' : 'draining';
}
