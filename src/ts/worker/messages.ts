// What a primary and its workers say to each other: one object a packet. Pure: no I/O, no clock, no state.
// Readers check what they know and ignore the rest, so that a later minor version can add to it: the two may be of different
// releases when the primary was replaced, or the program was deployed anew.
import { MAX_TIMEOUT_MS } from '../base/limits';
import { protocolError } from '../handoff/frame';
import { numberField, readVersions, textField } from '../handoff/payloads';
import { readWorkerFigures, type WorkerFigures } from '../handoff/pool-status';
import { type Receipt, readReceipt } from '../handoff/receipt';

/** Versions of this protocol that this code speaks, both included. */
export const LINK_VERSIONS: readonly [min: number, max: number] = [1, 1];

/** Of a place to listen or to bind at, as the worker's program has given it. Paths are sun_path bytes in base64. */
export type PlaceRequest =
  | {
      kind: 'stream';
      port?: number;
      /** Numeric, or a name, which the primary looks up. */
      host?: string;
      unix?: UnixPlace;
      mode?: number;
      backlog?: number;
      ipv6Only?: boolean;
      reusePort?: boolean;
    }
  | {
      kind: 'udp';
      type: 'udp4' | 'udp6';
      port: number;
      address?: string;
      reusePort?: boolean;
      ipv6Only?: boolean;
    }
  | { kind: 'datagram'; unix: UnixPlace; mode?: number };

export interface UnixPlace {
  kind: 'path' | 'abstract' | 'unnamed';
  /** In base64. */
  bytes: string;
}

export type WorkerMessage =
  /** The first. */
  | { type: 'hello'; versions: readonly [number, number]; pid: number }
  /** Wants a listener; the answer is 'listener' or 'refused'. */
  | { type: 'listen'; request: number; name: string; place: PlaceRequest }
  /** It serves. */
  | { type: 'ready' }
  /** It needs so many milliseconds more to boot. */
  | { type: 'extend'; ms: number }
  /** It is no good; on probation the old worker stays. */
  | { type: 'fail'; reason: string }
  /** Answers 'ping'. `unwell`: what the program's health check complains of. */
  | { type: 'pong'; sequence: number; figures: WorkerFigures; unwell?: string }
  /** It stops by itself: nothing new for it. */
  | { type: 'leaving' };

export type PrimaryMessage =
  /** Answers 'hello'. */
  | { type: 'welcome'; version: number; worker: number; generation: number }
  /** One descriptor comes along: the listener, which the worker takes work from itself. */
  | { type: 'listener'; request: number }
  /** The primary could not bind it. `errno` is negative. */
  | {
      type: 'refused';
      request: number;
      code: string;
      message: string;
      errno?: number;
      syscall?: string;
      address?: string;
    }
  | { type: 'ping'; sequence: number }
  /** Its probation is over. */
  | { type: 'confirmed' }
  /** Take nothing new, let the connections end within `drainMs`, and end. With a successor there is a receipt. */
  | { type: 'stop'; drainMs: number; receipt?: Receipt };

/** The highest version that both sides speak. */
export function commonLinkVersion(theirs: readonly [number, number]): number | undefined {
  const highest = Math.min(LINK_VERSIONS[1], theirs[1]);
  return highest >= Math.max(LINK_VERSIONS[0], theirs[0]) ? highest : undefined;
}

type Payload = Record<string, unknown>;

/** @throws ERR_HANDOFF_PROTOCOL */
export function readWorkerMessage(payload: Payload): WorkerMessage {
  const { type } = payload;
  switch (type) {
    case 'hello':
      return { type, versions: readVersions(payload), pid: idField(payload, 'pid') };
    case 'listen': {
      const place = readPlace(objectOf(payload['place'], 'place'));
      return { type, request: idField(payload, 'request'), name: textField(payload, 'name'), place };
    }
    case 'ready':
    case 'leaving':
      return { type };
    case 'extend':
      return { type, ms: msField(payload, 'ms') };
    case 'fail':
      return { type, reason: shortText(payload, 'reason') };
    case 'pong': {
      const figures = readWorkerFigures(objectOf(payload['figures'], 'figures'));
      const unwell = payload['unwell'] === undefined ? {} : { unwell: shortText(payload, 'unwell') };
      return { type, sequence: idField(payload, 'sequence'), figures, ...unwell };
    }
    default:
      throw protocolError(`a worker does not say ${String(type)}`);
  }
}

/** @throws ERR_HANDOFF_PROTOCOL */
export function readPrimaryMessage(payload: Payload): PrimaryMessage {
  const { type } = payload;
  switch (type) {
    case 'welcome': {
      const [version, worker, generation] = ['version', 'worker', 'generation'].map((name) =>
        idField(payload, name),
      );
      return { type, version, worker, generation } as PrimaryMessage;
    }
    case 'listener':
      return { type, request: idField(payload, 'request') };
    case 'refused':
      return {
        type,
        request: idField(payload, 'request'),
        code: textField(payload, 'code'),
        message: textField(payload, 'message'),
        ...(payload['errno'] === undefined ? {} : { errno: numberField(payload, 'errno') }),
        ...(payload['syscall'] === undefined ? {} : { syscall: textField(payload, 'syscall') }),
        ...(payload['address'] === undefined ? {} : { address: textField(payload, 'address') }),
      };
    case 'ping':
      return { type, sequence: idField(payload, 'sequence') };
    case 'confirmed':
      return { type };
    case 'stop': {
      const receipt = readReceipt(payload['receipt']);
      return { type, drainMs: msField(payload, 'drainMs'), ...(receipt === undefined ? {} : { receipt }) };
    }
    default:
      throw protocolError(`a primary does not say ${String(type)}`);
  }
}

/** What is in it is checked by whoever binds there: the fields are those of the public options. */
function readPlace(payload: Payload): PlaceRequest {
  const { kind } = payload;
  if (kind !== 'stream' && kind !== 'udp' && kind !== 'datagram')
    throw protocolError(`a place of kind ${kind}`);
  return payload as unknown as PlaceRequest;
}

function idField(payload: Payload, name: string): number {
  const value = payload[name];
  if (typeof value === 'number' && Number.isSafeInteger(value) && value >= 0) return value;
  throw protocolError(`${name} is not a count`);
}

function msField(payload: Payload, name: string): number {
  const value = idField(payload, name);
  if (value >= 1 && value <= MAX_TIMEOUT_MS) return value;
  throw protocolError(`${name} is no time`);
}

/** Characters of what a program says about itself. */
const REASON_CHARS = 1_024;

function shortText(payload: Payload, name: string): string {
  return textField(payload, name).slice(0, REASON_CHARS);
}

function objectOf(value: unknown, what: string): Payload {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return value as Payload;
  throw protocolError(`${what} is not an object`);
}
