/** Owns the shape of what happened: to a restart, and to a successor that crashed. */

export interface Restart {
  readonly how: string;
  readonly generation: number;
  readonly pid: number;
  /** When the old one had stopped accepting, on the clock of clock.ts. */
  readonly switchedAtMs: number;
  readonly startToReadyMs: number;
  /** null where nobody measures it. */
  readonly readyToStoppedMs: number | null;
}

export interface CrashOutcome {
  readonly servedOn: boolean;
  readonly generation: number;
  readonly code: string;
  readonly message: string;
  readonly stderr: string;
}
