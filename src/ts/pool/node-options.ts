// Options of Node for workers: which of this process' own another program can have, and which a thread can.
import type { ResourceLimits } from 'node:worker_threads';
import { hasCode, invalidArgValue } from '../base/errors';

/** Options by which the program is on the command line itself: a worker would be this process once more. */
const PROGRAM = /^(-e|--eval|-p|-pe|--print|--input-type)(=|$)/;

/** Those of this process, for a worker whose program is a file. fork() of child_process leaves the program out, too. */
export function ownNodeOptions(execArgv: readonly string[] = process.execArgv): string[] {
  return withoutOptions(execArgv, (word) => PROGRAM.test(word));
}

/** Without those, and the values behind them. Node takes no value that begins with '-', unless behind '='. */
function withoutOptions(words: readonly string[], isOut: (word: string) => boolean): string[] {
  return words.filter((word, index) => {
    const before = words[index - 1];
    const isValue = !word.startsWith('-') && before !== undefined && !before.includes('=') && isOut(before);
    return !isValue && !isOut(word);
  });
}

/** V8 options that a thread can have of its own, for their numbers. The words may be joined by '_'. */
const LIMITS: Readonly<Record<string, (value: number) => ResourceLimits>> = {
  '--max-old-space-size': (mb) => ({ maxOldGenerationSizeMb: mb }),
  // The young generation is three semi-spaces. Heap::YoungGenerationSizeFromSemiSpaceSize() in V8's heap.cc
  '--max-semi-space-size': (mb) => ({ maxYoungGenerationSizeMb: 3 * mb }),
  '--stack-size': (kb) => ({ stackSizeMb: (kb + STACK_BUFFER_KB) / 1024 }),
};

/** Of the stack of a thread, which Node keeps from V8. kStackBufferSize in Node's node_worker.h */
const STACK_BUFFER_KB = 192;

export interface ThreadOptions {
  execArgv: string[];
  resourceLimits: ResourceLimits;
}

/** What limits memory goes by another way to a thread. */
export function splitLimits(words: readonly string[]): ThreadOptions {
  const execArgv: string[] = [];
  const resourceLimits: ResourceLimits = {};
  for (const word of words) {
    const [name = '', value = ''] = word.split('=');
    const limit = /^[1-9]\d*$/.test(value) ? LIMITS[name.replaceAll('_', '-')] : undefined;
    if (limit === undefined) execArgv.push(word);
    else Object.assign(resourceLimits, limit(Number(value)));
  }
  return { execArgv, resourceLimits };
}

/**
 * Starts a thread with options that were given for it.
 * @throws ERR_INVALID_ARG_VALUE, with the options that belong to a whole process
 */
export function withGivenOptions<T>(words: readonly string[], start: (options: ThreadOptions) => T): T {
  const options = splitLimits(words);
  try {
    return start(options);
  } catch (error) {
    const refused = refusedOf(options.execArgv, error);
    if (refused.length === 0) throw error;
    throw invalidArgValue(
      `options.execArgv has ${refused.join(', ')}: that is for a whole process, and not for a thread; give it to the process that has the threads`,
    );
  }
}

/** Starts a thread with those options of this process that are of threads; what is of the process it has anyway. */
export function withOwnOptions<T>(words: readonly string[], start: (execArgv: readonly string[]) => T): T {
  try {
    return start(words);
  } catch (error) {
    const refused = refusedOf(words, error);
    if (refused.length === 0) throw error;
    return withOwnOptions(
      withoutOptions(words, (word) => refused.includes(word)),
      start,
    );
  }
}

/** Node tells them in the text only: "Initiated Worker with invalid execArgv flags: --title=x, --prof" */
function refusedOf(words: readonly string[], error: unknown): string[] {
  if (!hasCode(error, 'ERR_WORKER_INVALID_EXEC_ARGV')) return [];
  const list = `, ${(error as Error).message.replace(/^.*?: /s, '')}, `;
  return words.filter((word) => word.startsWith('-') && list.includes(`, ${word}, `));
}
