// The command line of a command: what is wrong with it is told as UsageError, with the option that was probably meant.
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { nearest } from '../base/options';
import { UsageError } from './command';

/** @throws UsageError */
export function parseCommandLine<T extends ParseArgsConfig>(config: T): ReturnType<typeof parseArgs<T>> {
  refuseUnknown(config);
  return orTeach(() => parseArgs(config));
}

function refuseUnknown({ args, options = {} }: ParseArgsConfig): void {
  const names = [...Object.keys(options), 'help'];
  const lenient = { args, options, strict: false, allowPositionals: true, tokens: true } as const;
  for (const token of parseArgs(lenient).tokens) {
    if (token.kind !== 'option' || names.includes(token.name)) continue;
    const meant = nearest(token.name, names);
    const help = meant === undefined ? `known are --${names.join(', --')}` : `did you mean --${meant}?`;
    throw new UsageError(`there is no option ${token.rawName}; ${help}`);
  }
}

/** What is wrong with an argument is wrong with the command line. */
export function orTeach<T>(read: () => T): T {
  try {
    return read();
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}
