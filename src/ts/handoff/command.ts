// Commands to a running process: what COMMAND asks, and what PROGRESS and RESULT answer. Pure.

import { protocolError } from './frame';
import {
  type Busy,
  countField,
  type GenerationStatus,
  numberField,
  readBusy,
  readGenerations,
  textField,
} from './payloads';
import type { Receipt } from './receipt';
import type { ListenerStatus } from './status';

export type CommandName = 'restart' | 'status' | 'abort';

export interface Request {
  /** A CommandName, or one of a later version. */
  command: string;
  /** The service that is meant. Undefined: whoever is at the address. */
  name: string | undefined;
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
  | Failure
  | ({ outcome: 'busy' } & Busy)
  /** The listeners have come before. */
  | { outcome: 'status'; status: ServiceStatus }
  /** `pid` and `state` are of the successor. */
  | { outcome: 'aborted'; pid: number; state: string; rolledBack: boolean }
  | { outcome: 'nothing'; reason: string }
  /** The process does not know the command, or is another service. */
  | { outcome: 'refused'; reason: string };

type Payload = Record<string, unknown>;

export function readRequest(payload: Payload): Request {
  const { name } = payload;
  if (name !== undefined && typeof name !== 'string') throw protocolError('name is not a string');
  return { command: textField(payload, 'command'), name };
}

/** Of PROGRESS: how far an upgrade is. Undefined: it says something else. */
export function readProgress(payload: Payload): Busy | undefined {
  return payload['state'] === undefined ? undefined : readBusy(payload);
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

/** @param listeners that have come before @throws ERR_HANDOFF_PROTOCOL */
export function readResult(payload: Payload, listeners: ListenerStatus[]): Result {
  const outcome = textField(payload, 'outcome');
  switch (outcome) {
    case 'committed':
      // The one who asks prints it and decides nothing by it.
      return { outcome, receipt: objectOf(payload['receipt'], 'receipt') as unknown as Receipt };
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
      return { outcome, ...readBusy(payload) };
    case 'status':
      return { outcome, status: readStatus(objectOf(payload['status'], 'status'), listeners) };
    case 'aborted': {
      const rolledBack = payload['rolledBack'] === true;
      return { outcome, pid: numberField(payload, 'pid'), state: textField(payload, 'state'), rolledBack };
    }
    case 'nothing':
    case 'refused':
      return { outcome, reason: textField(payload, 'reason') };
    default:
      throw protocolError(`the outcome '${outcome}' is unknown: the process is newer than this command`);
  }
}

function readStatus(payload: Payload, listeners: ListenerStatus[]): ServiceStatus {
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
