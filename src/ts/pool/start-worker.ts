// startWorker(): a worker's process or thread, with its end of the link.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Worker as Thread, type WorkerOptions as ThreadOptions } from 'node:worker_threads';
import { hasCode } from '../base/errors';
import type { UnixAddress } from '../fd/address';
import type { Fd } from '../fd/fd';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { LINK_VARIABLE, openLinkPair } from '../worker/link';
import type { OutputStream } from '../worker/messages';
import { ORPHANS_VARIABLE, POOL_VARIABLE } from '../worker/post';
import { ownNodeOptions, withGivenOptions, withOwnOptions } from './node-options';
import type { WorkerProgram } from './options';

/** How a worker has ended. */
export interface WorkerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** It could not be started at all, or a thread threw. */
  error?: Error;
}

/** What runs the program of a worker. */
export interface Running {
  /** Of a thread: that of this process. */
  readonly pid: number;
  readonly threadId: number | undefined;
  /** Resolves, never rejects, when it has ended. */
  readonly ended: Promise<WorkerEnd>;
  /** Ends it now. A thread knows SIGKILL only. */
  kill(signal: NodeJS.Signals): void;
  /** It is somebody else's: it must not keep this process alive. */
  leave(): void;
  /** What it prints, with the output mode 'event'. */
  readonly output: Readonly<Partial<Record<OutputStream, Readable>>>;
}

export interface StartedWorker {
  running: Running;
  /** Our end of the link. */
  socket: UnixSeqpacket;
}

/** What a worker is told of its pool. */
export interface Posting {
  /** The number of its place. */
  worker: number;
  /** Where it finds a later primary. */
  meeting: UnixAddress | undefined;
}

/** Set for a worker, and for its program to read: the number of its place in the pool, from 1. */
const WORKER_VARIABLE = 'FDPASS_WORKER';

/** Descriptor of the link in a worker process. */
const LINK_NUMBER = 3;

/**
 * @throws SystemError EMFILE, EAGAIN; what could not be started is told by `ended`
 */
export function startWorker(program: WorkerProgram, posting: Posting): StartedWorker {
  const { ours, theirs } = openLinkPair();
  try {
    const start = program.kind === 'threads' ? startThread : startProcess;
    return { running: start(program, theirs, posting), socket: ours };
  } catch (error) {
    theirs.close();
    void ours.close();
    throw error;
  }
}

type Start = (program: WorkerProgram, link: Fd, posting: Posting) => Running;

/** @param link as takePost() reads it */
function variables(
  { env, orphans, register }: WorkerProgram,
  link: string,
  posting: Posting,
): NodeJS.ProcessEnv {
  const { worker, meeting } = posting;
  return {
    ...process.env,
    // As PM2 has it, from 0, for programs that know of PM2.
    ...(register ? { NODE_APP_INSTANCE: String(worker - 1) } : {}),
    ...env,
    [WORKER_VARIABLE]: String(worker),
    [LINK_VARIABLE]: link,
    [ORPHANS_VARIABLE]: meeting === undefined ? 'drain' : orphans,
    ...(meeting === undefined ? {} : { [POOL_VARIABLE]: String(meeting) }),
  };
}

function linkText(number: number, link: Fd): string {
  return `${number}:${link.describe().inode}`;
}

/** Consumes the link. */
const startProcess: Start = (program, link, posting) => {
  const [command = '', ...args] = program.command;
  const env = variables(program, linkText(LINK_NUMBER, link), posting);
  const out = program.output === 'event' ? 'pipe' : 'inherit';
  const child: ChildProcess = spawn(command, args, {
    stdio: ['ignore', out, out, link.fd],
    env,
    cwd: program.cwd,
    detached: program.detached,
  });
  link.close();
  const ended = new Promise<WorkerEnd>((resolve) => {
    // Not once: a signal that may not be sent is one more.
    child.on('error', (error) => {
      // ENOENT is told of the program when it is the folder that is missing. child_process(3)
      if (hasCode(error, 'ENOENT') && !existsSync(program.cwd))
        error.message += `: there is no folder ${program.cwd}`;
      if (child.pid === undefined) resolve({ code: null, signal: null, error });
    });
    child.once('exit', (code, signal) => resolve({ code, signal }));
  });
  return {
    pid: child.pid ?? 0,
    threadId: undefined,
    ended,
    kill: (signal) => void child.kill(signal),
    leave() {
      child.unref();
      child.stdout?.destroy();
      child.stderr?.destroy();
    },
    // Null where it is inherited; missing where there were no descriptors for it, and 'error' follows.
    output: {
      ...(child.stdout ? { stdout: child.stdout } : {}),
      ...(child.stderr ? { stderr: child.stderr } : {}),
    },
  };
};

/** Consumes the link: the thread duplicates it, and ours is closed with the end of the thread. */
const startThread: Start = (program, link, posting) => {
  const events = program.output === 'event';
  const thread = makeThread(program, {
    argv: [...program.args],
    env: variables(program, linkText(link.fd, link), posting),
    stdout: events,
    stderr: events,
  });
  let failure: Error | undefined;
  const ended = new Promise<WorkerEnd>((resolve) => {
    thread.once('error', (error) => {
      failure = error instanceof Error ? error : new Error(String(error));
    });
    thread.once('exit', (code) => {
      link.close();
      resolve({ code, signal: null, ...(failure === undefined ? {} : { error: failure }) });
    });
  });
  return {
    pid: process.pid,
    threadId: thread.threadId,
    ended,
    kill: () => void thread.terminate(),
    leave: () => thread.unref(),
    output: events ? { stdout: thread.stdout, stderr: thread.stderr } : {},
  };
};

function makeThread({ exec, execArgv, preload }: WorkerProgram, options: ThreadOptions): Thread {
  if (execArgv !== undefined)
    return withGivenOptions([...execArgv, ...preload], (given) => new Thread(exec, { ...options, ...given }));
  return withOwnOptions(
    [...ownNodeOptions(), ...preload],
    (own) => new Thread(exec, { ...options, execArgv: [...own] }),
  );
}
