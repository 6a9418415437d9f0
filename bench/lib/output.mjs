// Runs a command to its end and keeps what it printed: the benchmark's own output stays its own.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

/** @returns undefined if all went well, else why not, in one line */
export async function failureOf(command, args, options = {}) {
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  try {
    const [code, signal] = await once(child, 'close');
    return code === 0 ? undefined : `${command} ${signal ?? `exited with ${code}`}: ${firstError(output)}`;
  } catch (error) {
    return error.code === 'ENOENT' ? `there is no command '${command}'` : error.message;
  }
}

/** The line that says most: that of an exception, one that speaks of an error, or the last. */
export function firstError(output) {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const named = lines.find((line) => /^\w*Error\b/.test(line)) ?? lines.find((line) => /error/i.test(line));
  return (named ?? lines.at(-1) ?? 'no output').trim();
}
