// Runs one step after another: a title with the time so far, the command's own output, an exit that names what failed.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeSync } from 'node:fs';
import { constants } from 'node:os';

import { root } from './root.mjs';

const kStdout = 1;
const kStderr = 2;
let output = kStdout;

// For a script whose own stdout is a result that somebody parses: titles and steps go to stderr.
export function keepStdoutForTheResult() {
  output = kStderr;
}

// writeSync, because console.log() to a pipe may be cut off by the exit that follows.
export function say(text) {
  writeSync(output, `[${elapsed().padStart(7)}] ${text}\n`);
}

export function fail(text) {
  writeSync(kStderr, `[${elapsed().padStart(7)}] FAILED: ${text}\n`);
  process.exit(1);
}

export async function run(title, command, args, { env = process.env } = {}) {
  say(title);
  const { code, reason } = await runToEnd(command, args, { env, stdio: ['inherit', output, 'inherit'] });
  if (code !== 0) fail(`${title} (${reason})`);
}

// Resolves with the exit status as a shell would give it: 128 and the signal's number after a signal.
export async function runToEnd(command, args, options) {
  const child = spawn(command, args, { cwd: root, ...options });
  const stopForwarding = forwardSignals(child);
  try {
    const [code, signal] = await once(child, 'exit');
    if (signal !== null) return { code: 128 + constants.signals[signal], reason: signal };
    return { code, reason: `exit code ${code}` };
  } catch (error) {
    return { code: 127, reason: error.message };
  } finally {
    stopForwarding();
  }
}

// Whoever ends this process by its id ends the step too. A terminal's ^C reaches the child by itself.
export function forwardSignals(child) {
  const forward = (signal) => {
    if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
  };
  const signals = ['SIGINT', 'SIGTERM', 'SIGHUP'];
  for (const signal of signals) process.on(signal, forward);
  return () => {
    for (const signal of signals) process.off(signal, forward);
  };
}

function elapsed() {
  return `${process.uptime().toFixed(1)} s`;
}
