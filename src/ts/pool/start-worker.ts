// startWorker(): a worker's process or thread, with its end of the link.
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { Worker as Thread } from 'node:worker_threads';
import { hasCode } from '../base/errors';
import type { Fd } from '../fd/fd';
import type { UnixSeqpacket } from '../sockets/seqpacket';
import { LINK_VARIABLE, openLinkPair } from '../worker/link';
import type { WorkerProgram } from './options';

/** How a worker has ended. */
export interface WorkerEnd {
  code: number | null;
  signal: NodeJS.Signals | null;
  /** It could not be started at all, or a thread threw. */
  error?: Error;
}

export type OutputStream = 'stdout' | 'stderr';

/** What runs the program of a worker. */
export interface Running {
  /** Of a thread: that of this process. */
  readonly pid: number;
  readonly threadId: number | undefined;
  /** Resolves, never rejects, when it has ended. */
  readonly ended: Promise<WorkerEnd>;
  /** Ends it now. A thread knows SIGKILL only. */
  kill(signal: NodeJS.Signals): void;
  /** It must not keep this process alive. */
  unref(): void;
  /** What it prints, with the output mode 'event'. */
  readonly output: Readonly<Partial<Record<OutputStream, Readable>>>;
}

export interface StartedWorker {
  running: Running;
  /** Our end of the link. */
  socket: UnixSeqpacket;
}

/** Descriptor of the link in a worker process. */
const LINK_NUMBER = 3;

/** @throws SystemError EMFILE, EAGAIN; what could not be started is told by `ended` */
export function startWorker(program: WorkerProgram): StartedWorker {
  const { ours, theirs } = openLinkPair();
  try {
    const start = program.kind === 'threads' ? startThread : startProcess;
    return { running: start(program, theirs), socket: ours };
  } catch (error) {
    theirs.close();
    void ours.close();
    throw error;
  }
}

function variables(program: WorkerProgram, link: Fd, number: number): NodeJS.ProcessEnv {
  return {
    ...process.env,
    ...program.env,
    [LINK_VARIABLE]: `${number}:${link.describe().inode}`,
  };
}

/** Consumes the link. */
function startProcess(program: WorkerProgram, link: Fd): Running {
  const [command = '', ...args] = program.command;
  const env = variables(program, link, LINK_NUMBER);
  const out = program.output === 'event' ? 'pipe' : 'inherit';
  const child: ChildProcess = spawn(command, args, {
    stdio: ['ignore', out, out, link.fd],
    env,
    cwd: program.cwd,
    detached: program.detached,
  });
  link.close();
  const ended = new Promise<WorkerEnd>((resolve) => {
    child.once('error', (error) => {
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
    unref() {
      child.unref();
      for (const stream of [child.stdout, child.stderr]) (stream as { unref?(): void } | null)?.unref?.();
    },
    output: {
      ...(child.stdout === null ? {} : { stdout: child.stdout }),
      ...(child.stderr === null ? {} : { stderr: child.stderr }),
    },
  };
}

/** The thread duplicates the link; ours is closed with its first word, or its end. */
function startThread(program: WorkerProgram, link: Fd): Running {
  const events = program.output === 'event';
  const thread = new Thread(program.exec, {
    argv: [...program.args],
    ...(program.execArgv === undefined ? {} : { execArgv: [...program.execArgv] }),
    env: variables(program, link, link.fd),
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
    unref: () => thread.unref(),
    output: events ? { stdout: thread.stdout, stderr: thread.stderr } : {},
  };
}
