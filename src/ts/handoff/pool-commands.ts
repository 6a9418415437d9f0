// What the commands of a pool ask and answer: a roll, its size, its log. Pure.
import { protocolError } from './frame';
import { type Busy, countField, numberField, readBusy, textField } from './payloads';
import type { PoolStatus, RollReceipt } from './pool-status';

/** Of a line of a log, in bytes of UTF-8: it fits into a frame when each takes six of JSON. */
export const MAX_LINE_BYTES = 8 * 1024;

/** How far a rolling restart is. `pid` and `state` are of the new worker, 0 and 'starting' while there is none; `ageMs` is of the roll. */
export interface RollProgress extends Busy {
  /** The place that is filled anew. */
  worker: number;
  /** Workers that were replaced. */
  done: number;
  total: number;
}

/** None, of an upgrade. */
export type RollFigures = Partial<Omit<RollProgress, keyof Busy>>;

/** Of an upgrade, or of a roll. */
export type Progress = Busy & RollFigures;

/** One line that a worker has written. */
export interface LogLine {
  /** Milliseconds since 1970. */
  time: number;
  worker: number;
  generation: number;
  pid: number;
  stream: 'stdout' | 'stderr';
  /** Without its end, as the worker has written it; up to MAX_LINE_BYTES. */
  line: string;
}

export interface LogQuery {
  /** So many of the latest lines. */
  lines: number;
  /** Only of this worker. */
  worker?: number | undefined;
  /** And those that come, until whoever asks goes away. */
  follow: boolean;
}

/** The lines of all workers. */
export interface LogSource {
  /** The latest ones that are kept, the oldest first. */
  recent(query: Pick<LogQuery, 'lines' | 'worker'>): readonly LogLine[];
  /** @param onLine must not throw @returns ends it */
  follow(onLine: (line: LogLine) => void): () => void;
}

/** 'max': as many as there are processors for them. `by` may be negative. */
export type ScaleRequest = { to: number | 'max' } | { by: number };

/** What a pool does for whoever gives a command to it. */
export interface PoolHooks {
  status(): PoolStatus;
  /** What it is doing: no other primary may take over meanwhile. */
  changing(): 'rolling' | 'scaling' | undefined;
  /** Undefined: no roll is under way. */
  rolling(): RollProgress | undefined;
  /**
   * Replaces the workers. Is called only while no roll is under way.
   * @param onStep is called when the progress has changed: another worker, another state
   * @throws an Error with a code, and where it is known `reason`, `stderr`, `exitCode` and `signal` as of UpgradeError;
   * ERR_HANDOFF_ROLLED_BACK: a new worker served, and was no good
   */
  roll(onStep: () => void): Promise<RollReceipt>;
  /** Calls the roll off. @returns where it stood; undefined: there was none */
  abort(reason: string): Promise<RollProgress | undefined>;
  /**
   * Resolves when so many workers serve, or those that are too many have been told to leave.
   * @returns the new size @throws RangeError: it cannot have so many
   */
  scale(size: number | 'max'): Promise<number>;
  /** Undefined: what the workers print does not come through this process. */
  readonly logs: LogSource | undefined;
}

type Payload = Record<string, unknown>;

/** Of PROGRESS. Undefined: it says something else. */
export function readProgress(payload: Payload): Progress | undefined {
  if (payload['state'] === undefined) return undefined;
  return { ...readBusy(payload), ...readRollFigures(payload) };
}

export function readRollFigures(payload: Payload): RollFigures {
  const names = ['worker', 'done', 'total'] as const;
  const told = names.map((name) => [name, countField(payload, name)] as const);
  return Object.fromEntries(told.filter(([, value]) => value !== undefined));
}

/** Of 'rolled'. The one who asks prints it and decides nothing by it. */
export function readRollReceipt(payload: Payload): RollReceipt {
  const { replaced } = payload;
  if (!Array.isArray(replaced)) throw protocolError('replaced is not a list');
  return {
    replaced: replaced.map((value: unknown) => {
      if (typeof value !== 'object' || value === null) throw protocolError('a replacement is not an object');
      const entry = value as Payload;
      return {
        worker: numberField(entry, 'worker'),
        pid: numberField(entry, 'pid'),
        predecessor: numberField(entry, 'predecessor'),
        startToReadyMs: numberField(entry, 'startToReadyMs'),
      };
    }),
    ms: numberField(payload, 'ms'),
  };
}

export function readScale({ to, by }: Payload): ScaleRequest {
  if (to === 'max' || isSize(to)) return { to };
  if (typeof by === 'number' && by !== 0 && Number.isSafeInteger(by)) return { by };
  throw protocolError('neither a size nor a difference');
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 1;
}

export function readLogQuery(payload: Payload): LogQuery {
  return {
    lines: countField(payload, 'lines') ?? 0,
    worker: countField(payload, 'worker'),
    follow: payload['follow'] === true,
  };
}

/** Of PROGRESS: some of the lines. */
export function readLogLines({ lines = [] }: Payload): LogLine[] {
  if (!Array.isArray(lines)) throw protocolError('lines is not a list');
  return lines.map((value: unknown) => {
    if (typeof value !== 'object' || value === null) throw protocolError('a line is not an object');
    const entry = value as Payload;
    return {
      time: numberField(entry, 'time'),
      worker: numberField(entry, 'worker'),
      generation: numberField(entry, 'generation'),
      pid: numberField(entry, 'pid'),
      stream: entry['stream'] === 'stderr' ? 'stderr' : 'stdout',
      line: textField(entry, 'line'),
    };
  });
}
