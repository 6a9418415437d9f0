// What a command of fdpass is, and the exit codes that they share.

export interface Command {
  /** What `fdpass NAME --help` prints; ends with a newline. */
  readonly help: string;
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

/** 64 is EX_USAGE of sysexits.h: a misspelt command must not look like what 2 is for `restart`. */
export const EXIT = { ok: 0, failed: 1, usage: 64 } as const;

/** The command line is wrong: exit code EXIT.usage, and the message says what would be right. */
export class UsageError extends Error {}
