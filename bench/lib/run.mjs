// One run of one contender: the receiver, then the sender, until both have reported. Their pids are the only ones killed.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

import { firstError } from './output.mjs';

/** Beyond warm-up and run: starting two processes on a busy machine, and emptying queues. */
const kGraceMs = 15_000;
/** From SIGTERM, after which a contender may clean up, to SIGKILL. */
const kKillMs = 5_000;

/**
 * @param commands for each role its command line; the receiver may be missing, or 'started by the sender'
 * @returns the reports by role
 * @throws Error that says in one line why there are none
 */
export async function runOnce({ commands, deadlineMs, address, signal }) {
  const children = [];
  const start = (words) => {
    const child = new Child(words);
    children.push(child);
    return child;
  };
  let timer;
  let stop;
  const deadline = new Promise((_, reject) => {
    const late = () => reject(new Error(`no result after ${(deadlineMs + kGraceMs) / 1000} s`));
    timer = setTimeout(late, deadlineMs + kGraceMs);
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop);
  });
  try {
    return await Promise.race([deadline, play(start, commands, address)]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
    await Promise.all(children.map((child) => child.kill()));
  }
}

async function play(start, { receiver, sender }, address) {
  if (receiver === undefined) {
    const alone = start(sender);
    return { sender: await alone.report('sender') };
  }
  if (receiver === 'started by the sender') {
    const both = start([...sender, `address=${address}`]);
    return { receiver: await both.report('receiver'), sender: await both.report('sender') };
  }
  const receiving = start([...receiver, `address=${address}`]);
  const { ready } = await receiving.line(({ ready }) => ready !== undefined);
  const sending = start([...sender, `address=${ready}`]);
  const sent = await Promise.race([sending.report('sender'), receiving.failed]);
  receiving.endInput();
  return { sender: sent, receiver: await receiving.report('receiver') };
}

/** A process that prints lines of JSON. */
class Child {
  #process;
  #ended;
  #lines = [];
  #waiting = [];
  #errors = '';
  /** Rejects if the process fails; never resolves. */
  failed;

  constructor([command, ...args]) {
    this.#process = spawn(command, args, { stdio: 'pipe' });
    this.#process.stdin.on('error', () => {}); // it ended before us
    this.#process.stderr.setEncoding('utf8').on('data', (text) => {
      this.#errors += text;
    });
    const lines = createInterface({ input: this.#process.stdout });
    lines.on('line', (line) => this.#take(line));
    this.#ended = new Promise((resolve) => {
      this.#process.once('error', (error) => resolve(error.message));
      this.#process.once('close', (code, signal) => resolve(signal ?? `exit code ${code}`));
    });
    this.failed = this.#ended.then((how) => {
      if (how === 'exit code 0') return new Promise(() => {});
      throw new Error(`${how}: ${firstError(this.#errors)}`);
    });
    this.failed.catch(() => {});
    void this.#ended.then(() => {
      const error = new Error(`ended without a report: ${firstError(this.#errors)}`);
      for (const { reject } of this.#waiting.splice(0)) reject(error);
    });
  }

  report(role) {
    return this.line((value) => value.role === role);
  }

  /** The first line that `matches`, from the beginning. */
  line(matches) {
    const found = this.#lines.find(matches);
    if (found !== undefined) return Promise.resolve(found);
    const coming = new Promise((resolve, reject) => {
      this.#waiting.push({ matches, resolve, reject });
    });
    return Promise.race([coming, this.failed]);
  }

  endInput() {
    this.#process.stdin.end();
  }

  async kill() {
    this.#process.stdin.destroy();
    if (this.#process.exitCode === null && this.#process.signalCode === null) this.#process.kill('SIGTERM');
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), kKillMs);
    await this.#ended;
    clearTimeout(timer);
  }

  #take(text) {
    let line;
    try {
      line = JSON.parse(text);
    } catch {
      return; // a package's own output
    }
    this.#lines.push(line);
    for (const waiter of this.#waiting.filter(({ matches }) => matches(line))) {
      this.#waiting.splice(this.#waiting.indexOf(waiter), 1);
      waiter.resolve(line);
    }
  }
}
