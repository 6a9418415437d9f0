// The command line of a command: what is wrong with it is told as UsageError, with the option that was probably meant.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearest } from '../base/options';
import { UsageError } from './command';

/** @throws UsageError */
export function parseCommandLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  const tied = { ...config, args: readOptions(config) } as T; // of whatever T, args are strings
  return orTeach(() => parseArgs(tied));
}

/** @returns the arguments, with values that parseArgs() takes for options tied to theirs: '-1' is a wrong number, not an option */
function readOptions({ args = [], options = {} }: ParseArgsConfig): string[] {
  const lenient = { args, options, strict: false, allowPositionals: true, tokens: true } as const;
  const read: (string | undefined)[] = [...args];
  for (const token of parseArgs(lenient).tokens) {
    if (token.kind !== 'option') continue;
    const { name, rawName, index, value, inlineValue } = token;
    refuseUnknown(name, rawName, Object.keys(options));
    if (options[name]?.type !== 'string') continue;
    if (value === undefined) throw new UsageError(`${rawName} takes a value, which is missing`);
    if (inlineValue || !/^-./.test(value)) continue;
    if (!/^-\d/.test(value)) throw new UsageError(`${rawName} takes a value, and '${value}' is an option`);
    read[index] = rawName.startsWith('--') ? `${args[index]}=${value}` : `${args[index]}${value}`;
    read[index + 1] = undefined;
  }
  return read.filter((word) => word !== undefined);
}

function refuseUnknown(name: string, rawName: string, known: readonly string[]): void {
  const names = [...known, 'help'];
  if (names.includes(name)) return;
  const meant = nearest(name, names);
  const help = meant === undefined ? `known are --${names.join(', --')}` : `did you mean --${meant}?`;
  throw new UsageError(`there is no option ${rawName}; ${help}`);
}

/** What is wrong with an argument is wrong with the command line. */
export function orTeach<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
