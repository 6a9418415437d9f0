// What a command of fdpass is, and the exit codes that they share.

export interface Command {
  /** What `fdpass NAME --help` prints; ends with a newline. */
  readonly help: string;
  /** The exit code for a wrong command line, where 2 means something else. */
  readonly usageExit?: number;
  /** It does something: its exit code says what became of that, also where the result cannot be printed. */
  readonly acts?: true;
  /**
   * Prints its result to stdout and remarks to stderr.
   * @param args those after the name
   * @returns the exit code
   * @throws UsageError; anything else is a failure that main.ts tells people and, with --json, scripts
   */
  run(args: readonly string[]): number | Promise<number>;
}

export const EXIT = { ok: 0, failed: 1, usage: 2 } as const;

/** The command line is wrong: exit code 2 or `usageExit`, and the message says what would be right. */
export class UsageError extends Error {}
