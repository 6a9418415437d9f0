// What a primary and its workers say to each other: one object a packet. Pure: no I/O, no clock, no state.
// Readers check what they know and ignore the rest, so that a later minor version can add to it: the two may be of different
// releases when the primary was replaced, or the program was deployed anew.
import { MAX_TIMEOUT_MS } from '../base/limits';
import { protocolError } from '../handoff/frame';
import { countField, numberField, readVersions, textField } from '../handoff/payloads';
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

/** A listener as a worker names it when it comes back to a new primary. */
export interface HeldListener {
  name: string;
  place: PlaceRequest;
  delivery: Delivery;
}

/** 'shared': the worker takes work from the descriptor itself. 'passed': the primary accepts, and sends connections. */
export type Delivery = 'shared' | 'passed';

/** What a worker prints to. */
export type OutputStream = 'stdout' | 'stderr';

export type WorkerMessage =
  /**
   * The first. From a worker that has lost its primary also who it was, and the listeners it holds, whose descriptors come
   * along in their order.
   */
  | {
      type: 'hello';
      versions: readonly [number, number];
      pid: number;
      back?: { worker: number; generation: number; ready: boolean; listeners: HeldListener[] };
    }
  /** Wants a listener; the answer is 'listener' or 'refused'. */
  | { type: 'listen'; request: number; name: string; place: PlaceRequest }
  /** The program has closed that server by itself, and goes on with the others: no more connections of it. */
  | { type: 'unlisten'; name: string }
  /** It serves. */
  | { type: 'ready' }
  /** It needs so many milliseconds more to boot. */
  | { type: 'extend'; ms: number }
  /** It is no good; on probation the old worker stays. The answer is 'stop', as to 'leaving'. */
  | { type: 'fail'; reason: string }
  /** Of passed connections: how many have come in all, and how many of them are open. */
  | { type: 'load'; received: number; open: number }
  /** Answers 'ping'. `unwell`: what the program's health check complains of. `exhausted`: it has no free descriptor. */
  | { type: 'pong'; sequence: number; figures: WorkerFigures; unwell?: string; exhausted?: true }
  /** It stops by itself: nothing new for it. The answer is 'stop', behind the last connection that was passed to it. */
  | { type: 'leaving' }
  /** Its connections have ended. */
  | { type: 'bye'; closed: number; forced: number; ms: number }
  /** Its program asks for a roll: a signal, or upgrade(). The answer is 'stop' with a receipt, or 'unrolled'. */
  | { type: 'roll' };

export type PrimaryMessage =
  /**
   * Answers 'hello'. To a worker that has come back a descriptor comes along for each of `output`: what it prints goes there
   * from here.
   */
  | {
      type: 'welcome';
      version: number;
      worker: number;
      generation: number;
      pid: number;
      output?: OutputStream[];
    }
  /**
   * One descriptor comes along: the listener itself, also where connections are passed. `ticketKeys`: base64 of what lets clients of a TLS
   * server resume their sessions at any worker.
   */
  | { type: 'listener'; request: number; delivery: Delivery; ticketKeys?: string }
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
  /** All descriptors that come along are connections of that listener. */
  | { type: 'connections'; listener: string }
  | { type: 'ping'; sequence: number }
  /** Its probation is over. */
  | { type: 'confirmed' }
  /** The roll that it has asked for came to nothing, or could not begin: it is not replaced. */
  | { type: 'unrolled'; code: string; reason: string }
  /** Another primary takes over: the worker is to look for it at once, and nothing more comes over this link. */
  | { type: 'release' }
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
    case 'hello': {
      const back = payload['back'] === undefined ? {} : { back: readBack(objectOf(payload['back'], 'back')) };
      return { type, versions: readVersions(payload), pid: idField(payload, 'pid'), ...back };
    }
    case 'listen': {
      const place = readPlace(objectOf(payload['place'], 'place'));
      return { type, request: idField(payload, 'request'), name: textField(payload, 'name'), place };
    }
    case 'unlisten':
      return { type, name: textField(payload, 'name') };
    case 'ready':
    case 'leaving':
    case 'roll':
      return { type };
    case 'extend':
      return { type, ms: msField(payload, 'ms') };
    case 'fail':
      return { type, reason: shortText(payload, 'reason') };
    case 'load':
      return { type, received: idField(payload, 'received'), open: idField(payload, 'open') };
    case 'pong': {
      const figures = readWorkerFigures(objectOf(payload['figures'], 'figures'));
      const unwell = payload['unwell'] === undefined ? {} : { unwell: shortText(payload, 'unwell') };
      const exhausted = payload['exhausted'] === true ? ({ exhausted: true } as const) : {};
      return { type, sequence: idField(payload, 'sequence'), figures, ...unwell, ...exhausted };
    }
    case 'bye': {
      const [closed, forced, ms] = ['closed', 'forced', 'ms'].map((name) => countField(payload, name) ?? 0);
      return { type, closed, forced, ms } as WorkerMessage;
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
      const [version, worker, generation, pid] = ['version', 'worker', 'generation', 'pid'].map((name) =>
        idField(payload, name),
      );
      const output = payload['output'] === undefined ? {} : { output: readOutput(payload['output']) };
      return { type, version, worker, generation, pid, ...output } as PrimaryMessage;
    }
    case 'listener': {
      const ticketKeys =
        payload['ticketKeys'] === undefined ? {} : { ticketKeys: textField(payload, 'ticketKeys') };
      return { type, request: idField(payload, 'request'), delivery: readDelivery(payload), ...ticketKeys };
    }
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
    case 'connections':
      return { type, listener: textField(payload, 'listener') };
    case 'ping':
      return { type, sequence: idField(payload, 'sequence') };
    case 'confirmed':
    case 'release':
      return { type };
    case 'unrolled':
      return { type, code: textField(payload, 'code'), reason: shortText(payload, 'reason') };
    case 'stop': {
      const receipt = readReceipt(payload['receipt']);
      return { type, drainMs: msField(payload, 'drainMs'), ...(receipt === undefined ? {} : { receipt }) };
    }
    default:
      throw protocolError(`a primary does not say ${String(type)}`);
  }
}

function readBack(payload: Payload): NonNullable<(WorkerMessage & { type: 'hello' })['back']> {
  const { listeners } = payload;
  if (!Array.isArray(listeners)) throw protocolError('listeners is not a list');
  return {
    worker: boundField(payload, 'worker'),
    generation: boundField(payload, 'generation'),
    ready: payload['ready'] === true,
    listeners: listeners.map((value: unknown) => {
      const entry = objectOf(value, 'a listener');
      const place = readPlace(objectOf(entry['place'], 'place'));
      return { name: textField(entry, 'name'), place, delivery: readDelivery(entry) };
    }),
  };
}

function readDelivery({ delivery }: Payload): Delivery {
  return delivery === 'passed' ? 'passed' : 'shared';
}

function readOutput(value: unknown): OutputStream[] {
  if (!Array.isArray(value)) throw protocolError('output is not a list');
  return value.map((one: unknown) => (one === 'stderr' ? 'stderr' : 'stdout'));
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

/** A place that has had so many workers would count on from there, to where numbers are no longer exact. */
const MAX_RETURNED = 2 ** 31 - 1;

function boundField(payload: Payload, name: string): number {
  const value = idField(payload, name);
  if (value <= MAX_RETURNED) return value;
  throw protocolError(`${name} is more than ${MAX_RETURNED}`);
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
