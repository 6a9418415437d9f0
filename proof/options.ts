/** Owns the command lines of the proofs: one number of restarts, and switches. */
import { parseArgs } from 'node:util';

/** The command line is wrong: exit code 2, no stack. */
export class UsageError extends Error {}

const kMaxRestarts = 10_000;

export interface ProofOptions {
  readonly restarts: number;
  readonly switches: ReadonlySet<string>;
}

/** @param switches besides --help and --json */
export function parseOptions(
  args: readonly string[],
  restarts: number,
  switches: readonly string[],
): ProofOptions {
  const names = ['help', 'json', ...switches];
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        restarts: { type: 'string' },
        ...Object.fromEntries(names.map((name) => [name, { type: 'boolean' as const }])),
      },
    });
    const given: Record<string, unknown> = values;
    return {
      restarts: wholeNumber(values.restarts, restarts),
      switches: new Set(names.filter((name) => given[name] === true)),
    };
  } catch (error) {
    throw new UsageError((error as Error).message);
  }
}

function wholeNumber(text: unknown, fallback: number): number {
  if (text === undefined) return fallback;
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1 && value <= kMaxRestarts) return value;
  throw new UsageError(`--restarts takes a whole number from 1 to ${kMaxRestarts}, not '${text}'`);
}
