// The process seam: everything of the outside world that a handoff uses besides its sockets. Tests replace it.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import type net from 'node:net';
import type { Writable } from 'node:stream';
import { FdpassError, hasCode } from '../base/errors';
import { residentBytes } from '../base/memory';
import { Fd } from '../fd/fd';
import { TXN_BYTES } from './frame';
import { type Life, rememberProcess } from './life';
import { type OwnCommand, ownCommand } from './own-command';

export interface SpawnSpec {
  command: string;
  args: readonly string[];
  env: NodeJS.ProcessEnv;
  /** undefined: the directory that this process is in. */
  cwd: string | undefined;
}

export interface Exit {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** The command could not be started at all. */
  error?: Error;
}

/** A successor that this process has started. */
export interface SpawnedProcess {
  readonly pid: number | undefined;
  /** Resolves, never rejects, when it has ended and its stderr has been read. */
  readonly exited: Promise<Exit>;
  /** The end of what it wrote to stderr while it booted. */
  stderrTail(): string;
  kill(): void;
  /** It has taken over: it must not keep this process alive any longer. */
  release(): void;
}

export interface ProcessSeam {
  readonly pid: number;
  readonly env: NodeJS.ProcessEnv;
  /** How to start this very program once more. */
  ownCommand(): OwnCommand;
  /** Milliseconds of a clock that only goes forward. */
  now(): number;
  /** Resident memory of this process. */
  rssBytes(): number;
  /** Milliseconds since this process was started. */
  uptimeMs(): number;
  /**
   * A timer, which keeps the process alive only with `hold`.
   * @returns cancels it
   */
  setTimer(ms: number, callback: () => void, options?: { hold?: boolean }): () => void;
  /** @returns stops listening: the signal does to the process what it does by default */
  onSignal(signal: NodeJS.Signals, callback: () => void): () => void;
  spawn(spec: SpawnSpec): SpawnedProcess;
  /** @returns tells, whenever it is asked, what has become of that process */
  remember(pid: number): () => Life;
  /** With which code the process ends by itself. */
  setExitCode(code: number): void;
  exit(code: number): void;
}

/** What is kept of a successor's stderr for the error. */
const STDERR_TAIL_BYTES = 8 * 1024;

export const systemProcess: ProcessSeam = {
  pid: process.pid,
  env: process.env,
  ownCommand,
  now: () => performance.now(),
  rssBytes: residentBytes,
  uptimeMs: () => process.uptime() * 1000,
  setTimer(ms, callback, options) {
    const timer = setTimeout(callback, ms);
    if (options?.hold !== true) timer.unref();
    return () => clearTimeout(timer);
  },
  onSignal(signal, callback) {
    process.on(signal, callback);
    return () => process.off(signal, callback);
  },
  spawn: spawnSuccessor,
  remember: rememberProcess,
  setExitCode: (code) => {
    process.exitCode = code;
  },
  exit: (code) => process.exit(code),
};

/**
 * The transaction that upgrade() has started this process for, if it is that service's, or one of our own. Nothing that we
 * start sees it.
 * @returns `given`: by upgrade()
 */
export function takeTxn(seam: ProcessSeam, service: string): { txn: string; given: boolean } {
  const { [TXN_VARIABLE]: txn, [SERVICE_VARIABLE]: meant = service } = seam.env;
  if (meant !== service) return { txn: newTxn(), given: false }; // this process has part in several services
  delete seam.env[TXN_VARIABLE];
  delete seam.env[SERVICE_VARIABLE];
  const given = txn !== undefined && /^[0-9a-f]{32}$/.test(txn);
  return { txn: given ? txn : newTxn(), given };
}

/** Nobody else guesses it. */
export function newTxn(): string {
  return randomBytes(TXN_BYTES).toString('hex');
}

/** Set for a successor: where its real stderr waits, as "number:inode". See takeStderr(). */
export const STDERR_VARIABLE = 'FDPASS_STDERR';
/** Set for a successor: the transaction that it was started for. */
export const TXN_VARIABLE = 'FDPASS_TXN';
/** Set for a successor: the service that it was started for. */
export const SERVICE_VARIABLE = 'FDPASS_SERVICE';

const REAL_STDERR = 3;

/** From the end of a successor to the end of our reading its stderr. */
const LAST_LINES_MS = 200;

/** Of what waits to be passed on. More is left out: our own stderr is stuck, and the successor must not be. */
const MAX_BACKLOG_BYTES = 1024 * 1024;

// Not process.stderr: a full disk or a reader that has gone would be our end, on account of somebody else's words.
function ownStderr(): (chunk: Buffer) => void {
  let out: Writable | undefined = createWriteStream('', { fd: 2, autoClose: false });
  out.on('error', () => {
    out = undefined;
  });
  return (chunk) => {
    if (out !== undefined && out.writableLength < MAX_BACKLOG_BYTES) out.write(chunk);
  };
}

// While it boots, the successor's stderr comes through this process, which passes it on and keeps the
// tail. A pipe to a process that is about to exit is no stderr to live with, so the real one goes along
// as descriptor 3 and the successor puts it in place when it takes over.
function spawnSuccessor({ command, args, env, cwd }: SpawnSpec): SpawnedProcess {
  const inode = Fd.dup(2);
  const marker = `${REAL_STDERR}:${inode.describe().inode}`;
  inode.close();
  const child = spawnPermitted(command, args, {
    stdio: ['ignore', 'inherit', 'pipe', 2],
    env: { ...env, [STDERR_VARIABLE]: marker },
    cwd,
  });
  let tail = Buffer.alloc(0);
  // A pipe of spawn() is a socket; without free descriptors there is none, and 'error' follows.
  const stderr = child.stderr as net.Socket | undefined;
  const exited = new Promise<Exit>((resolve) => {
    child.once('error', (error) => resolve({ code: null, signal: null, error }));
    child.once('close', (code, signal) => resolve({ code, signal }));
    // A process that it has left behind may keep the pipe open: read what is there, then let go of it.
    child.once('exit', () => setTimeout(() => stderr?.destroy(), LAST_LINES_MS));
  });
  const passOn = ownStderr();
  stderr?.on('data', (chunk: Buffer) => {
    passOn(chunk);
    tail = Buffer.concat([tail, chunk]).subarray(-STDERR_TAIL_BYTES);
  });
  return {
    pid: child.pid,
    exited,
    stderrTail: () => tail.toString(),
    kill: () => void child.kill('SIGKILL'),
    release() {
      child.unref();
      stderr?.unref();
    },
  };
}

/** @throws ERR_FDPASS_PERMISSION */
function spawnPermitted(command: string, args: readonly string[], options: SpawnOptions): ChildProcess {
  try {
    return spawn(command, args, options);
  } catch (cause) {
    if (!hasCode(cause, 'ERR_ACCESS_DENIED')) throw cause;
    const text =
      "upgrade() may start no process under Node's permission model. Start Node with --allow-child-process";
    throw new FdpassError('ERR_FDPASS_PERMISSION', text, { cause });
  }
}
