// One compiled test file under one runtime: { passed, skipped, failed: [titles], problem } of it.
import { spawn } from 'node:child_process';
import path from 'node:path';

import { fromRoot } from '../root.mjs';
import { forwardSignals } from '../run.mjs';

export const compiledTest = (name) => fromRoot('out/test', `${name}.js`);

const node = ['--expose-gc', '--test-reporter=tap'];

export const underNode = (binary, file, options) => runTap(binary, [...node, file], options);

export const inWorker = (binary, file, options) =>
  runTap(binary, [...node, path.join(import.meta.dirname, 'in-worker.mjs'), file], options);

// Its execPath is of another CPU: files that start processes of their own are not for it.
export const underQemu = (binary, file, options) =>
  runTap('qemu-aarch64-static', ['-L', '/usr/aarch64-linux-gnu', binary, ...node, file], {
    ...options,
    env: { ...options.env, PREBUILDS_ONLY: '1' },
  });

const gcOfBun = path.join(import.meta.dirname, 'gc-of-bun.mjs');

export async function underBun(binary, file, options) {
  const { output, problem } = await outputOf(binary, ['test', '--preload', gcOfBun, file], options);
  const count = (word) => Number(new RegExp(`^ *(\\d+) ${word}$`, 'm').exec(output)?.[1] ?? 0);
  const failures = output.matchAll(/^\(fail\) (.*?)(?: \[[\d.]+ ?m?s\])?$/gm);
  // Each is said twice: where it happened, and in a list at the end.
  const failed = [...new Set([...failures].map(([, title]) => title))];
  return outcome({ passed: count('pass'), skipped: count('skip'), failed, problem, output });
}

export async function underDeno(binary, file, options) {
  const env = { ...options.env, NO_COLOR: '1' };
  const args = ['test', '--allow-all', '--no-check', '--v8-flags=--expose-gc', file];
  const { output, problem } = await outputOf(binary, args, { ...options, env });
  const [, passed = 0] = /(\d+) passed \|/.exec(output) ?? [];
  const [, skipped = 0] = /(\d+) ignored/.exec(output) ?? [];
  const failed = [...output.matchAll(/^(.*?) \.\.\. .*FAILED(?: \(.*\))?$/gm)].map(([, title]) => title);
  return outcome({ passed: Number(passed), skipped: Number(skipped), failed, problem, output });
}

async function runTap(command, args, options) {
  const { output, problem } = await outputOf(command, args, options);
  const count = (word) => Number(new RegExp(`^# ${word} (\\d+)$`, 'm').exec(output)?.[1] ?? 0);
  // The names of tests, unescaped, and not those of a suite around them.
  const failed = [...output.matchAll(/^\s*not ok \d+ - (.*?)(?: # .*)?$/gm)].map(([, title]) =>
    title.replace(/\\(.)/g, '$1'),
  );
  return outcome({ passed: count('pass'), skipped: count('skipped'), failed, problem, output });
}

// A file of which nothing has run has failed, whatever it says.
function outcome({ passed, skipped, failed, problem, output }) {
  const silent = failed.length === 0 && (problem !== undefined || passed + skipped === 0);
  return { passed, skipped, failed, problem: silent ? (problem ?? 'no test has run') : undefined, output };
}

async function outputOf(command, args, { env, seconds }) {
  const child = spawn(command, args, { cwd: fromRoot(), env, stdio: ['ignore', 'pipe', 'pipe'] });
  const stopForwarding = forwardSignals(child);
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text) => {
      output += text;
    });
  }
  let timedOut = false;
  const timer = setTimeout(() => {
    timedOut = true;
    child.kill('SIGKILL');
  }, seconds * 1000);
  const problem = await new Promise((resolve) => {
    child.once('error', (error) => resolve(error.message));
    child.once('close', (code, signal) => resolve(code === 0 ? undefined : (signal ?? `exit code ${code}`)));
  });
  clearTimeout(timer);
  stopForwarding();
  return { output, problem: timedOut ? `not ended after ${seconds} s` : problem };
}
