// Receipt: what a finished upgrade tells.

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
}
