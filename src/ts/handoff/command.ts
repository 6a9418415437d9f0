// Commands to a running process: what COMMAND asks, and what PROGRESS and RESULT answer. Pure.

import { protocolError } from './frame';
import {
  countField,
  type GenerationStatus,
  numberField,
  readBusy,
  readGenerations,
  textField,
} from './payloads';
import { type Progress, type RollFigures, readRollFigures, readRollReceipt } from './pool-commands';
import { readPoolStatus, readWorkerStatus } from './pool-reader';
import type { PoolStatus, RollReceipt, WorkerStatus } from './pool-status';
import type { Receipt } from './receipt';
import type { ListenerStatus } from './status';

export type CommandName = 'restart' | 'status' | 'abort' | 'scale' | 'logs';

export interface Request {
  /** A CommandName, or one of a later version. */
  command: string;
  /** The service that is meant. Undefined: whoever is at the address. */
  name: string | undefined;
  /** Of a restart of a pool: of the process that holds it, not of its workers. */
  supervisor: boolean;
}

/** What `fdpass status` knows: of the process that answers all, of the others what it has heard of them last. */
export interface ServiceStatus {
  name: string;
  pid: number;
  generation: number;
  /** A HandoffState. */
  state: string;
  /** Of the process. */
  ageMs: number;
  rssBytes: number;
  /** Open ones, of all listeners. */
  connections: number;
  listeners: ListenerStatus[];
  /** All processes that live, the newest first: one that takes over, the one that answers, and those that stand by or drain. */
  generations: GenerationStatus[];
  /** Of the process that answers; undefined: none has failed. */
  lastFailure?: LastFailure;
  /** Of a pool; `connections` are then those of its workers. */
  pool?: PoolStatus;
}

/** Of a reason, in characters: with a stderr it has to fit into a frame when each takes six bytes of JSON. */
export const REASON_CHARS = 1_024;

/** Of an upgrade: it was rolled back, or never happened. */
export interface LastFailure {
  code: string;
  reason: string;
  agoMs: number;
}

/** Why an upgrade that a command has asked for did not happen. */
export interface Failure {
  outcome: 'failed' | 'rolledback';
  code: string;
  reason: string;
  /** The end of the successor's. */
  stderr: string;
  exitCode: number | null;
  signal: string | null;
}

/** The last answer to a command. */
export type Result =
  | { outcome: 'committed'; receipt: Receipt }
  /** As 'committed', of the workers of a pool. Older commands do not know the word: they would not know the receipt. */
  | { outcome: 'rolled'; receipt: RollReceipt }
  | Failure
  | ({ outcome: 'busy' } & Progress)
  /** The listeners and the workers have come before. */
  | { outcome: 'status'; status: ServiceStatus }
  /** `pid` and `state` are of the successor. Of a roll: of the worker that was to come; and how many had come. */
  | ({ outcome: 'aborted'; pid: number; state: string; rolledBack: boolean } & RollFigures)
  /** Workers that were wanted, and are. */
  | { outcome: 'scaled'; from: number; to: number }
  /** The lines have come before. */
  | { outcome: 'logs' }
  | { outcome: 'nothing'; reason: string }
  /** The process does not know the command, or is another service. */
  | { outcome: 'refused'; reason: string };

type Payload = Record<string, unknown>;

export function readRequest(payload: Payload): Request {
  const { name } = payload;
  if (name !== undefined && typeof name !== 'string') throw protocolError('name is not a string');
  return { command: textField(payload, 'command'), name, supervisor: payload['supervisor'] === true };
}

/** Of PROGRESS: some of the listeners. */
export function readListeners({ listeners = [] }: Payload): ListenerStatus[] {
  if (!Array.isArray(listeners)) throw protocolError('listeners is not a list');
  return listeners.map((one: unknown) => {
    const entry = objectOf(one, 'a listener');
    return {
      name: textField(entry, 'name'),
      address: textField(entry, 'address'),
      inherited: entry['inherited'] === true,
      connections: numberField(entry, 'connections'),
    };
  });
}

/** Of PROGRESS: some of the workers. */
export function readWorkers({ workers = [] }: Payload): WorkerStatus[] {
  if (!Array.isArray(workers)) throw protocolError('workers is not a list');
  return workers.map(readWorkerStatus);
}

/** What has come before the result, in frames of its own. */
export interface Ahead {
  listeners: ListenerStatus[];
  workers: WorkerStatus[];
}

/** @throws ERR_HANDOFF_PROTOCOL */
export function readResult(payload: Payload, ahead: Ahead): Result {
  const outcome = textField(payload, 'outcome');
  switch (outcome) {
    case 'committed':
      // The one who asks prints it and decides nothing by it.
      return { outcome, receipt: objectOf(payload['receipt'], 'receipt') as unknown as Receipt };
    case 'rolled':
      return { outcome, receipt: readRollReceipt(objectOf(payload['receipt'], 'receipt')) };
    case 'failed':
    case 'rolledback':
      return {
        outcome,
        code: textField(payload, 'code'),
        reason: textField(payload, 'reason'),
        stderr: textField(payload, 'stderr'),
        exitCode: countField(payload, 'exitCode') ?? null,
        signal: typeof payload['signal'] === 'string' ? payload['signal'] : null,
      };
    case 'busy':
      return { outcome, ...readBusy(payload), ...readRollFigures(payload) };
    case 'status':
      return { outcome, status: readStatus(objectOf(payload['status'], 'status'), ahead) };
    case 'aborted': {
      const rolledBack = payload['rolledBack'] === true;
      const [pid, state] = [numberField(payload, 'pid'), textField(payload, 'state')];
      return { outcome, pid, state, rolledBack, ...readRollFigures(payload) };
    }
    case 'scaled':
      return { outcome, from: numberField(payload, 'from'), to: numberField(payload, 'to') };
    case 'logs':
      return { outcome };
    case 'nothing':
    case 'refused':
      return { outcome, reason: textField(payload, 'reason') };
    default:
      throw protocolError(`the outcome '${outcome}' is unknown: the process is newer than this command`);
  }
}

function readStatus(payload: Payload, ahead: Ahead): ServiceStatus {
  const { listeners } = ahead;
  return {
    name: textField(payload, 'name'),
    pid: numberField(payload, 'pid'),
    generation: numberField(payload, 'generation'),
    state: textField(payload, 'state'),
    ageMs: numberField(payload, 'ageMs'),
    rssBytes: numberField(payload, 'rssBytes'),
    connections: numberField(payload, 'connections'),
    listeners,
    generations: readGenerations(payload),
    ...(payload['lastFailure'] === undefined
      ? {}
      : { lastFailure: readLastFailure(objectOf(payload['lastFailure'], 'lastFailure')) }),
    ...(payload['pool'] === undefined
      ? {}
      : { pool: readPoolStatus(objectOf(payload['pool'], 'pool'), ahead) }),
  };
}

function readLastFailure(payload: Payload): LastFailure {
  const agoMs = numberField(payload, 'agoMs');
  return { code: textField(payload, 'code'), reason: textField(payload, 'reason'), agoMs };
}

function objectOf(value: unknown, what: string): Payload {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Payload;
  throw protocolError(`${what} is not an object`);
}
