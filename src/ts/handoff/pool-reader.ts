// Reads what a pool tells of itself over the control socket. Pure.
import { protocolError } from './frame';
import { countField, numberField, textField } from './payloads';
import {
  type Balance,
  type PoolStatus,
  readWorkerFigures,
  type WorkerExit,
  type WorkerState,
  type WorkerStatus,
} from './pool-status';
import type { ListenerStatus } from './status';

type Payload = Record<string, unknown>;

const STATES: readonly unknown[] = ['starting', 'probation', 'serving', 'leaving', 'waiting'];

/** @param ahead what has come before @throws ERR_HANDOFF_PROTOCOL */
export function readPoolStatus(
  payload: Payload,
  ahead: { listeners: readonly ListenerStatus[]; workers: WorkerStatus[] },
): PoolStatus {
  const { balance, roll } = payload;
  return {
    ...(typeof balance === 'string' ? { balance: balance as Balance } : {}),
    kind: payload['kind'] === 'threads' ? 'threads' : 'processes',
    size: numberField(payload, 'size'),
    listeners: ahead.listeners.map(({ name, address }) => ({ name, address })),
    workers: ahead.workers,
    ...(typeof roll === 'object' && roll !== null ? { roll: readRoll(roll as Payload) } : {}),
  };
}

function readRoll(payload: Payload): NonNullable<PoolStatus['roll']> {
  const [done, total, ageMs] = ['done', 'total', 'ageMs'].map((name) => numberField(payload, name));
  return { done, total, ageMs } as NonNullable<PoolStatus['roll']>;
}

/** @throws ERR_HANDOFF_PROTOCOL */
export function readWorkerStatus(value: unknown): WorkerStatus {
  if (typeof value !== 'object' || value === null) throw protocolError('a worker is not an object');
  const entry = value as Payload;
  if (!STATES.includes(entry['state']))
    throw protocolError(`the state ${entry['state']} of a worker is unknown`);
  const threadId = countField(entry, 'threadId');
  const last = entry['lastExit'];
  return {
    worker: numberField(entry, 'worker'),
    generation: numberField(entry, 'generation'),
    pid: numberField(entry, 'pid'),
    state: entry['state'] as WorkerState,
    restarts: numberField(entry, 'restarts'),
    ...(threadId === undefined ? {} : { threadId }),
    ...readWorkerFigures(entry),
    ...(typeof last === 'object' && last !== null ? { lastExit: readExit(last as Payload) } : {}),
  };
}

function readExit(payload: Payload): WorkerExit {
  return { reason: textField(payload, 'reason').slice(0, 256), agoMs: numberField(payload, 'agoMs') };
}
