// One compiled test file under one runtime: { passed, skipped, failed: [titles], problem } of it.
import { spawn } from 'node:child_process';
import path from 'node:path';

import { fromRoot } from '../root.mjs';

export const compiledTest = (name) => fromRoot('out/test', `${name}.js`);

// With the guard against leaked descriptors, as in `npm test`.
const guard = `--require=${compiledTest('helpers/fd-guard')}`;
const node = ['--expose-gc', '--test-reporter=tap', guard];

export const underNode = (binary, file, options) => runTap(binary, [...node, file], options);

export const inWorker = (binary, file, options) =>
  runTap(binary, [...node, path.join(import.meta.dirname, 'in-worker.mjs'), file], options);

const gcOfBun = path.join(import.meta.dirname, 'gc-of-bun.mjs');

export async function underBun(binary, file, options) {
  const { output, code, problem } = await outputOf(binary, ['test', '--preload', gcOfBun, file], options);
  const count = (word) => Number(new RegExp(`^ *(\\d+) ${word}$`, 'm').exec(output)?.[1] ?? 0);
  const failures = output.matchAll(/^\(fail\) (.*?)(?: \[[\d.]+ ?m?s\])?$/gm);
  // Each is said twice: where it happened, and in a list at the end.
  const failed = [...new Set([...failures].map(([, title]) => title))];
  return outcome({ passed: count('pass'), skipped: count('skip'), failed, code, problem, output });
}

export async function underDeno(binary, file, options) {
  const env = { ...options.env, NO_COLOR: '1' };
  const args = ['test', '--allow-all', '--no-check', '--v8-flags=--expose-gc', file];
  const { output, code, problem } = await outputOf(binary, args, { ...options, env });
  const [, passed = 0] = /(\d+) passed \|/.exec(output) ?? [];
  const [, skipped = 0] = /(\d+) ignored/.exec(output) ?? [];
  const failed = [...output.matchAll(/^(.*?) \.\.\. .*FAILED(?: \(.*\))?$/gm)].map(([, title]) => title);
  return outcome({ passed: Number(passed), skipped: Number(skipped), failed, code, problem, output });
}

async function runTap(command, args, options) {
  const { output, code, problem } = await outputOf(command, args, options);
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  // The names of tests, unescaped, and not those of a suite around them.
  const failed = [...output.matchAll(/^\s*not ok \d+ - (.*?)(?: # .*)?$/gm)].map(([, title]) =>
    title.replace(/\\(.)/g, '$1'),
  );
  return outcome({ passed: count('pass'), skipped: count('skipped'), failed, code, problem, output });
}

// A file of which nothing has run has failed, whatever it says; an exit code is news only if no failure explains it.
function outcome({ passed, skipped, failed, code, problem, output }) {
  const unexplained = code !== 0 && failed.length === 0 ? `exit code ${code}` : undefined;
  const nothing = passed + skipped + failed.length === 0 ? 'no test has run' : undefined;
  return { passed, skipped, failed, problem: problem ?? unexplained ?? nothing, output };
}

// In a process group of its own, which ends with the file: a test that was killed has left its children behind.
async function outputOf(command, args, { env, seconds, signal }) {
  const stdio = ['ignore', 'pipe', 'pipe'];
  const child = spawn(command, args, { cwd: fromRoot(), env, stdio, detached: true });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  let cut;
  const end = (reason) => {
    cut ??= reason;
    killGroup(child);
  };
  const onAbort = () => end(`ended: ${signal.reason}`);
  signal.addEventListener('abort', onAbort, { once: true });
  const timer = setTimeout(() => end(`not ended after ${seconds} s`), seconds * 1000);
  const { code, problem } = await new Promise((resolve) => {
    child.once('error', (error) => resolve({ problem: error.message }));
    // Whatever still has the pipes would keep 'close' back.
    child.once('exit', () => killGroup(child));
    child.once('close', (code, killedBy) => resolve({ code, problem: killedBy ?? undefined }));
  });
  clearTimeout(timer);
  signal.removeEventListener('abort', onAbort);
  return { output, code, problem: cut ?? problem };
}

function killGroup({ pid }) {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if (error.code !== 'ESRCH') throw error; // all have ended
  }
}
