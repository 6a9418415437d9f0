// What a pool tells of itself: its workers, and how they were replaced. Pure.
import { countField } from './payloads';

/**
 * 'starting': it boots. 'probation': it serves, and the worker that it replaces does too. 'serving'. 'leaving': it takes
 * nothing new, its connections end. 'waiting': it has ended by itself, and its place is filled again after a pause.
 */
export type WorkerState = 'starting' | 'probation' | 'serving' | 'leaving' | 'waiting';

/** How a worker is, as it has said last; what it has not said yet is missing. */
export interface WorkerFigures {
  /** Since it was started, in milliseconds. */
  ageMs?: number;
  /** Connections that are open. */
  connections?: number;
  /** Connections that were accepted so far. */
  accepted?: number;
  /** Answered requests of HTTP/1 so far. */
  requests?: number;
  /** The longest time that its event loop was late within the last second, in milliseconds. */
  loopLagMs?: number;
  rssBytes?: number;
  /** Processor time so far, user and system, in milliseconds. Of a thread: that of the whole process. */
  cpuMs?: number;
}

/** How a worker has ended that nobody had told to. */
export interface WorkerExit {
  /** In words: 'exit code 1', 'SIGKILL', 'its event loop was stuck for 10 s'. */
  reason: string;
  agoMs: number;
}

export interface WorkerStatus extends WorkerFigures {
  /** Its place in the pool, from 1; it leaves it to its successor. */
  worker: number;
  /** Counts the workers that have been in this place. */
  generation: number;
  /** 0 while there is no process. */
  pid: number;
  /** Of a worker thread. */
  threadId?: number;
  state: WorkerState;
  /** How often this place was filled again after a crash. */
  restarts: number;
  /** Of the last crash. */
  lastExit?: WorkerExit;
}

export type Balance = 'kernel' | 'reuseport' | 'least' | 'sticky';

/** One worker that was replaced in a roll. */
export interface Replacement {
  worker: number;
  pid: number;
  /** Of the worker before. */
  predecessor: number;
  /** From the start of the process to its ready(). */
  startToReadyMs: number;
}

/** What a rolling restart tells when it is over. */
export interface RollReceipt {
  replaced: readonly Replacement[];
  /** From the beginning to the last worker that was confirmed. The old ones may still drain. */
  ms: number;
}

export interface PoolStatus {
  balance?: Balance;
  kind: 'processes' | 'threads';
  /** Workers that are wanted. */
  size: number;
  /** What the workers listen on, by the names that their programs give. */
  listeners: { name: string; address: string }[];
  workers: WorkerStatus[];
  /** A roll that is under way. */
  roll?: { done: number; total: number; ageMs: number };
}

type Payload = Record<string, unknown>;

const FIGURES = ['ageMs', 'connections', 'accepted', 'requests', 'loopLagMs', 'rssBytes', 'cpuMs'] as const;

/** What is no figure is left out. */
export function readWorkerFigures(payload: Payload): WorkerFigures {
  const told = FIGURES.map((name) => [name, countField(payload, name)] as const);
  return Object.fromEntries(told.filter(([, value]) => value !== undefined));
}
