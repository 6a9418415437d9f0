// How a contender's processes are started: by a program that is compiled first, by a script, or by Node's worker.
import { mkdirSync, renameSync } from 'node:fs';

import { filesBelow } from '../../scripts/lib/files.mjs';
import { isOlder } from '../../scripts/lib/modified.mjs';
import { failureOf } from './output.mjs';
import { fromBench } from './place.mjs';

const cFlags = ['-std=gnu11', '-O2', '-Wall', '-Wextra'];

/** `words` are added to the key=value words of each run. */
export function cProgram(...words) {
  const sources = filesBelow(fromBench('programs/c'), ['.c']);
  const build = (target) => [process.env.CC ?? 'cc', [...cFlags, ...sources, '-o', target]];
  return compiled({ folder: 'programs/c', target: 'c', build, words });
}

export function goProgram(...words) {
  const build = (target) => ['go', ['build', '-o', target, '.']];
  return compiled({ folder: 'programs/go', target: 'go', build, words });
}

export function script(interpreter, file) {
  return {
    command: [interpreter, fromBench('programs', file)],
    prepare: () => failureOf(interpreter, ['--version']),
  };
}

export function nodeProgram(file, name) {
  const worker = fromBench('programs/node/worker.mjs');
  return {
    command: [process.execPath, '--expose-gc', worker, `file=${file}`, `name=${name}`],
    prepare: async () => undefined,
  };
}

function compiled({ folder, target, build, words }) {
  const file = fromBench('build', target);
  return {
    command: [file, ...words],
    prepare: async () => {
      const sources = filesBelow(fromBench(folder));
      if (!isOlder(file, sources)) return undefined;
      mkdirSync(fromBench('build'), { recursive: true });
      const half = `${file}.${process.pid}`; // another benchmark may be about to start the file
      const [command, args] = build(half);
      const failure = await failureOf(command, args, { cwd: fromBench(folder) });
      if (failure === undefined) renameSync(half, file);
      return failure;
    },
  };
}
