/** Owns every process of a run: starts them, reads what they print, knows who is alive, and ends them all by pid. */
import { type ChildProcess, spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicMs } from './clock';
import { EventLog, parseEvent } from './events';

const kPollMs = 20;
const kTermMs = 3000;
const kKeptLines = 30;

export class Children {
  readonly events = new EventLog();
  /** pid -> start time, so that a recycled pid is never signalled. Holds successors too, which a server started. */
  readonly #known = new Map<number, string>();
  readonly #otherLines: string[] = [];

  spawn(script: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): ChildProcess {
    const child = spawn(process.execPath, [script, ...args], {
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    const { pid } = child;
    if (pid !== undefined) this.learn(pid);
    this.#read(child.stdout);
    this.#read(child.stderr);
    child.on('exit', (code, signal) => {
      if (pid !== undefined) this.events.add({ event: 'child-exit', pid, code, signal }, monotonicMs());
    });
    // A process that cannot be started never becomes ready: its waiter reports that. The reason goes with the other lines.
    child.on('error', (error) => this.#keep(error.message));
    return child;
  }

  learn(pid: number): void {
    const startTime = startTimeOf(pid);
    if (startTime !== undefined && !this.#known.has(pid)) this.#known.set(pid, startTime);
  }

  isAlive(pid: number): boolean {
    const startTime = this.#known.get(pid);
    return startTime !== undefined && startTime === startTimeOf(pid);
  }

  /** How many are alive. */
  get alive(): number {
    return [...this.#known.keys()].filter((pid) => this.isAlive(pid)).length;
  }

  signal(pid: number, signal: NodeJS.Signals): void {
    if (!this.isAlive(pid)) return;
    try {
      process.kill(pid, signal);
    } catch {
      // It ended between the look and the signal: that is what a signal was for.
    }
  }

  /** The pids among `pids` that are still there after `timeoutMs`. */
  async awaitExit(pids: readonly number[], timeoutMs: number): Promise<number[]> {
    const deadline = monotonicMs() + timeoutMs;
    let left = pids.filter((pid) => this.isAlive(pid));
    while (left.length > 0 && monotonicMs() < deadline) {
      await sleep(kPollMs);
      left = left.filter((pid) => this.isAlive(pid));
    }
    return left;
  }

  /** Whatever is left: asked first, then killed. */
  async endAll(): Promise<void> {
    for (const pid of [...this.#known.keys()])
      if (this.isAlive(pid)) for (const child of childrenOf(pid)) this.learn(child);
    const pids = [...this.#known.keys()];
    for (const pid of pids) this.signal(pid, 'SIGTERM');
    for (const pid of await this.awaitExit(pids, kTermMs)) this.signal(pid, 'SIGKILL');
    await this.awaitExit(pids, kTermMs);
  }

  /** The last lines that were no events: stack traces and warnings, for the report of a failure. */
  otherLines(): readonly string[] {
    return this.#otherLines;
  }

  #read(stream: Readable): void {
    createInterface({ input: stream }).on('line', (line) => {
      const event = parseEvent(line);
      if (event === null) return this.#keep(line);
      if (event.event === 'ready') this.learn(event.pid);
      this.events.add(event, monotonicMs());
    });
  }

  #keep(line: string): void {
    this.#otherLines.push(line);
    if (this.#otherLines.length > kKeptLines) this.#otherLines.shift();
  }
}

/** Field 22 of proc(5) stat; undefined for a process that is gone or a zombie whose parent has not looked yet. */
function startTimeOf(pid: number): string | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' || fields[0] === 'X' ? undefined : fields[19];
  } catch {
    // No such process.
    return undefined;
  }
}

function childrenOf(pid: number): number[] {
  try {
    return readFileSync(`/proc/${pid}/task/${pid}/children`, 'latin1').split(' ').filter(Boolean).map(Number);
  } catch {
    // A kernel without CONFIG_PROC_CHILDREN, or the process has just ended.
    return [];
  }
}
