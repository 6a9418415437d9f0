// The command line of the benchmark: its options, their limits, the help, and what a wrong one is answered.
import { parseArgs } from 'node:util';

/** The command line is wrong: exit code 2, no stack. */
export class UsageError extends Error {
  exitCode = 2;
}

const kMostRounds = 50;
const kCores = ['same', 'two', 'any'];

export const kHelp = `Measures fdpass beside the other ways to do the same, and beside a C program as the limit.

  npm run bench [-- NAME... options]

  NAME              cases whose name begins so (see --list); all if none is given
  --contenders A,B  only these (see --list), and what the ratios of a case are to: c, or what it names
  --rounds N        each contender runs so often in each case, in turn: A B C A B C (default 5, at most ${kMostRounds})
  --cores WHICH     same: both processes on one core; two: each on its own; any: not pinned. Default: what the case
                    says, ping-pong on one core and the others on two. Needs taskset.
  --quick           short runs and one round: shows that it works, not how fast
  --json FILE       all figures of all rounds
  --docs FILE       runs nothing: makes docs/benchmarks.md and its plots out of such a file
  --micro           runs only the parts in bench/micro: N-API crossings, buffers, events
  --instructions    with --micro: counts instructions (perf or valgrind), which other processes do not disturb
  --list            names of cases and contenders
  --help            this text

Each run is two processes. C programs are compiled first; the packages in bench/package.json are installed into
bench/node_modules the first time that one of them is to run. Who cannot take part is named with the reason.

Exit code: 0 when everything that could run has given figures; 1 when a contender failed; 2 the command line is wrong.
`;

export function parseOptions(args) {
  const { values, positionals } = parse(args);
  return {
    names: positionals,
    contenders: values.contenders?.split(','),
    rounds: integer('--rounds', values.rounds, { fallback: values.quick ? 1 : 5, min: 1, max: kMostRounds }),
    cores: oneOf('--cores', values.cores, kCores),
    quick: values.quick === true,
    json: values.json,
    docs: values.docs,
    micro: values.micro === true,
    instructions: values.instructions === true,
    list: values.list === true,
    help: values.help === true,
  };
}

function parse(args) {
  const flag = { type: 'boolean' };
  const text = { type: 'string' };
  const options = {
    contenders: text,
    rounds: text,
    cores: text,
    quick: flag,
    json: text,
    docs: text,
    micro: flag,
    instructions: flag,
    list: flag,
    help: { ...flag, short: 'h' },
  };
  try {
    return parseArgs({ args, options, allowPositionals: true });
  } catch (cause) {
    throw new UsageError(cause.message, { cause });
  }
}

function integer(name, text, { fallback, min, max }) {
  if (text === undefined) return fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= min && value <= max) return value;
  throw new UsageError(`${name} takes a whole number from ${min} to ${max}, not '${text}'`);
}

function oneOf(name, text, allowed) {
  if (text === undefined || allowed.includes(text)) return text;
  throw new UsageError(`${name} takes one of ${allowed.join(', ')}, not '${text}'`);
}
