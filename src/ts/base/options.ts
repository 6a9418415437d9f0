// The names in an options object: one that is misspelt is refused, so that nobody goes without what was asked for.
import { invalidArgValue } from './errors';
import { validateObject } from './validate';

/** An object with every name that options of type T may have, such as their defaults: the compiler misses none. */
export type KnownNames<T> = Readonly<Record<keyof T, unknown>>;

/** The default of an options parameter: nobody has to look at it. */
export const NO_OPTIONS: Readonly<Record<never, never>> = Object.freeze({});

/**
 * @param name of the object, such as 'options' or 'options.state'
 * @param elsewhere names that somebody may well try here, and what to do instead
 * @throws TypeError ERR_INVALID_ARG_TYPE: no object; ERR_INVALID_ARG_VALUE: it has a name that is not in `known`
 */
export function validateOptions<T extends object>(
  name: string,
  given: T,
  known: KnownNames<T>,
  elsewhere: Readonly<Record<string, string>> = NO_OPTIONS,
): void {
  if (given === NO_OPTIONS) return;
  validateObject(name, given);
  // Not Object.keys(), which makes an array: this is done for every message.
  for (const key in given) {
    if (!Object.hasOwn(known, key) && Object.hasOwn(given, key))
      throw invalidArgValue(`${name}.${key} is unknown; ${helpWith(key, Object.keys(known), elsewhere)}`);
  }
}

function helpWith(key: string, known: string[], elsewhere: Readonly<Record<string, string>>): string {
  if (Object.hasOwn(elsewhere, key)) return elsewhere[key] as string;
  const meant = nearest(key, known);
  return meant === undefined ? `known are ${known.join(', ')}` : `did you mean ${meant}?`;
}

/** The one that is a typing mistake away: one for every three letters. */
export function nearest(key: string, names: readonly string[]): string | undefined {
  let best: string | undefined;
  let limit = Math.max(1, Math.floor(key.length / 3));
  for (const name of names) {
    const mistakes = distance(key.toLowerCase(), name.toLowerCase());
    if (mistakes > limit) continue;
    best = name;
    limit = mistakes - 1;
  }
  return best;
}

/** Letters left out, put in, replaced, or swapped with their neighbour: the optimal string alignment distance. */
function distance(from: string, to: string): number {
  // What a name of any length costs is bounded by the longest name that is known.
  if (from.length > 2 * to.length + 2) return from.length;
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, column) => column);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const same = from[i - 1] === to[j - 1];
      const swapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      const costs = [at(last, j) + 1, at(row, j - 1) + 1, at(last, j - 1) + (same ? 0 : 1)];
      if (swapped) costs.push(at(before, j - 2) + 1);
      row.push(Math.min(...costs));
    }
    before = last;
    last = row;
  }
  return at(last, to.length);
}

function at(row: readonly number[], column: number): number {
  return row[column] as number;
}

/** Without what is undefined. */
export function given<T extends object>(fields: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as {
    [K in keyof T]?: Exclude<T[K], undefined>;
  };
}
