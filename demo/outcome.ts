/** Owns the shape of what happened: to a restart, and to a successor that was no good. */

export interface Restart {
  readonly how: string;
  readonly generation: number;
  readonly pid: number;
  /** When the new one was the only one to accept, on the clock of clock.ts. */
  readonly switchedAtMs: number;
  readonly startToReadyMs: number;
  /** null where nobody measures it. */
  readonly readyToStoppedMs: number | null;
}

/** What is wrong with a successor: it throws before it is ready, or its health check says no when it serves already. */
export type Defect = 'while it boots' | 'on probation';

export interface BreakOutcome {
  readonly defect: Defect;
  /** The old one answers. */
  readonly servedOn: boolean;
  readonly generation: number;
  readonly code: string;
  readonly message: string;
  readonly stderr: string;
}
