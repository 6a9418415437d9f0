// fdpass scale: more workers for a pool, or fewer.
import { ask } from '../handoff/ask';
import type { ScaleRequest } from '../handoff/pool-commands';
import { type Command, EXIT, UsageError } from './command';
import { parseCommandLine } from './command-line';
import { otherAnswer, printJson } from './failure';
import { TARGET_HELP, TARGET_OPTIONS, type Target, targetOf } from './target';

export const scale: Command = {
  acts: true,
  help: `Change the number of workers of a pool, without losing a request.

  fdpass scale NAME N|max|+N|-N [--json] [--timeout MS] [--address AT]

${TARGET_HELP}
  N              so many workers
  max            one for each processor that the pool may use
  +N, -N         so many more, or fewer
  --json         for scripts: one object on stdout, { outcome, ... }; see below
  --timeout MS   stop waiting after so many milliseconds; default: as long as the new workers take to get ready
  --help         this text

  fdpass scale shop 8
  fdpass scale shop -1

Those that are too many take nothing new, let their connections end, and end. To close the command changes nothing.

Exit code, and "outcome" of --json:
  0   scaled      { from, to }: workers that were wanted, and are
  1   failed      { code, reason }: new workers were no good, or the number is too large
  1   refused     it is no pool, or it would be left without workers; { reason }
  1   busy        a roll is under way; { pid, state, ageMs }
  1   unknown     nobody answers, or the answer is still out; { code, reason }
  64              the command line is wrong
`,
  async run(args) {
    const { target, size } = parse(args);
    const { name, address, json, timeoutMs } = target;
    const result = await ask({ address, command: 'scale', name, timeoutMs, more: size });
    if (result.outcome !== 'scaled') return otherAnswer('scale', result, json);
    const { from, to } = result;
    if (json) printJson(result);
    else process.stdout.write(`${from} workers before, ${to} now\n`);
    return EXIT.ok;
  },
};

function parse(args: readonly string[]): { target: Target; size: ScaleRequest & Record<string, unknown> } {
  // To whoever reads options, '-1' is one; behind one of ours it is its value.
  const less = args.findIndex((one, i) => /^-\d+$/.test(one) && !TAKES_VALUE.includes(args[i - 1] ?? ''));
  const others = args.filter((_, index) => index !== less);
  const config = { args: others, options: TARGET_OPTIONS, allowPositionals: true } as const;
  const { values, positionals } = parseCommandLine(config);
  const names = [...positionals];
  const size = less === -1 ? names.pop() : args[less];
  return { size: readSize(size), target: targetOf(values, names) };
}

const TAKES_VALUE = ['--timeout', '--address'];

function readSize(text = ''): ScaleRequest & Record<string, unknown> {
  if (text === 'max') return { to: text };
  const number = Number(text);
  if (/^\d+$/.test(text) && number > 0) return { to: number };
  if (/^[+-]\d+$/.test(text) && number !== 0) return { by: number };
  if (text === '') throw new UsageError('the number of workers is missing: N, max, +N or -N');
  throw new UsageError(`the number of workers is N, from 1, max, +N or -N, not '${text}'`);
}
