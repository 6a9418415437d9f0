// What each frame carries. Readers check the fields they know and ignore the others, so that a later
// minor version can add some. Pure.

import { MAX_TIMEOUT_MS } from '../base/limits';
import type { FdInfo, SocketFamily, SocketType } from '../fd/describe';
import { protocolError } from './frame';

/** Versions of the protocol that this code speaks, both included. */
export const VERSIONS: readonly [min: number, max: number] = [1, 2];

/** Descriptors in one FDS frame. 16 to 64 moved connections fastest; below 253 in any case. */
export const MAX_FDS_PER_FRAME = 64;

/** Names that are the protocol's own are in parentheses: listen() does not accept such a one. */
export function isOurs(name: string): boolean {
  return name.startsWith('(');
}

/** Listeners of one process: their manifest must fit into one frame. */
export const MAX_LISTENERS = 253;

/** The name under which the control socket itself is handed over. Not a name that listen() accepts. */
export const CONTROL_NAME = '(control)';

/** The name under which the state goes: a sealed memfd. */
export const STATE_NAME = '(state)';

/** What is said of the state. */
export interface StateLabel {
  /** The program's own. */
  version: number;
  bytes: number;
  /** Of the bytes, in hex. */
  sha256: string;
}

/** A descriptor as the holder describes it, for the successor to check what it receives. */
export interface ManifestEntry {
  name: string;
  /** family, type and address are '' where there is none: this is a file, or a socket without a name. */
  family: SocketFamily | '';
  type: SocketType | '';
  /** printEndpoint() of what it is bound to. */
  address: string;
  /** The rest is said from version 2 on. Version 1 has listening sockets only. */
  kind?: FdInfo['kind'];
  listening?: boolean;
  /** In decimal: of a descriptor that has no address to tell it by. */
  inode?: string;
  /** Of STATE_NAME only. */
  state?: StateLabel;
  /** Of a server that speaks TLS, in base64: with them its clients resume their sessions. */
  ticketKeys?: string;
}

export interface Hello {
  versions: readonly [number, number];
  /** How long the successor has been running, to tell how long it took to start. */
  uptimeMs: number;
  /** If there is a state and it cannot be provided, go on without. From version 2 on. */
  stateOptional: boolean;
  /** The successor is the primary of a pool: one takes over from another, and from nothing else. */
  pool?: true;
}

export interface Offer {
  version: number;
  pid: number;
  generation: number;
  listeners: ManifestEntry[];
}

/** How the successor proves itself after it has taken over; the holder stands by meanwhile. Version 2. */
export interface Probation {
  /** 0: not at all. */
  ms: number;
  /** From an answer to the next PING. */
  intervalMs: number;
}

/** What the successor says when it accepts. Version 1 does not say it. */
export interface Accepting {
  /** The listeners that are served by both now; undefined: all. */
  inherited: readonly string[] | undefined;
  /** Those that it has opened itself. */
  bound: readonly string[];
  rssBytes: number | undefined;
}

/** How the holder ended. */
export interface Bye {
  closed: number;
  forced: number;
  ms: number;
}

export interface Refusal {
  versions: readonly [number, number];
  reason: string;
  why: 'version' | 'user';
}

export interface Busy {
  pid: number;
  ageMs: number;
  state: string;
}

/** One process of a service, as another one has heard of it: what is not there it has not heard. */
export interface GenerationStatus {
  generation: number;
  pid: number;
  /** A HandoffState, 'draining', or the state of the upgrade that brings it here. */
  state: string;
  ageMs?: number;
  /** Open ones. */
  connections?: number;
  rssBytes?: number;
}

export type Figures = Pick<GenerationStatus, 'ageMs' | 'connections' | 'rssBytes'>;

/** More processes of one name than can be alive. */
const MAX_GENERATIONS_TOLD = 16;

type Payload = Record<string, unknown>;

export function readHello(payload: Payload): Hello {
  const stateOptional = payload['stateOptional'] === true;
  const pool = payload['pool'] === true ? ({ pool: true } as const) : {};
  return {
    versions: readVersions(payload),
    uptimeMs: numberField(payload, 'uptimeMs'),
    stateOptional,
    ...pool,
  };
}

export function readVersions(payload: Payload): readonly [number, number] {
  const { versions } = payload;
  if (Array.isArray(versions) && Number.isInteger(versions[0]) && Number.isInteger(versions[1])) {
    return [versions[0], versions[1]];
  }
  throw protocolError('versions is not a pair of integers');
}

export function readOffer(payload: Payload): Offer {
  const { listeners } = payload;
  if (!Array.isArray(listeners) || listeners.length > MAX_LISTENERS + 2) {
    throw protocolError('listeners is not a list of acceptable length');
  }
  return {
    version: numberField(payload, 'version'),
    pid: numberField(payload, 'pid'),
    generation: numberField(payload, 'generation'),
    listeners: listeners.map(readManifestEntry),
  };
}

export function readRefusal(payload: Payload): Refusal {
  const why = payload['why'] === 'user' ? 'user' : 'version'; // version 1 knows one reason only
  return { versions: readVersions(payload), reason: textField(payload, 'reason'), why };
}

/** Of READY. */
export function readProbation(payload: Payload): Probation {
  const ms = numberField(payload, 'probationMs');
  const intervalMs = numberField(payload, 'intervalMs');
  if (!Number.isInteger(ms) || ms < 0 || ms > MAX_TIMEOUT_MS) throw protocolError('probationMs is no time');
  if (!Number.isInteger(intervalMs) || intervalMs < 1 || intervalMs > MAX_TIMEOUT_MS)
    throw protocolError('intervalMs is no time');
  return { ms, intervalMs };
}

/** Of EXTEND: milliseconds. */
export function readExtension(payload: Payload): number {
  const ms = numberField(payload, 'ms');
  if (!Number.isInteger(ms) || ms < 1 || ms > MAX_TIMEOUT_MS) throw protocolError('ms is no time');
  return ms;
}

export function readBusy(payload: Payload): Busy {
  return {
    pid: numberField(payload, 'pid'),
    ageMs: numberField(payload, 'ageMs'),
    state: textField(payload, 'state'),
  };
}

/** Of PROBATION, PING and REPORT. Nothing depends on it: what makes no sense is left out. */
export function readGenerations({ generations }: Payload): GenerationStatus[] {
  if (!Array.isArray(generations)) return [];
  return generations.slice(0, MAX_GENERATIONS_TOLD).flatMap((value: unknown) => {
    const entry = (typeof value === 'object' && value !== null ? value : {}) as Payload;
    const { state } = entry;
    const generation = countField(entry, 'generation');
    const pid = countField(entry, 'pid');
    if (generation === undefined || pid === undefined || typeof state !== 'string') return [];
    return [{ generation, pid, state: state.slice(0, 32), ...readFigures(entry) }];
  });
}

/** The figures of a process, of PONG and of a generation. */
export function readFigures(payload: Payload): Figures {
  const names = ['ageMs', 'connections', 'rssBytes'] as const;
  const told = names.map((name) => [name, countField(payload, name)] as const);
  return Object.fromEntries(told.filter(([, value]) => value !== undefined));
}

export function readNames(payload: Payload): string[] {
  return namesField(payload, 'names');
}

export function readAccepting(payload: Payload): Accepting {
  return {
    inherited: namesField(payload, 'inherited'),
    bound: payload['bound'] === undefined ? [] : namesField(payload, 'bound'),
    rssBytes: countField(payload, 'rssBytes'),
  };
}

/** Of DRAIN, in version 2. */
export function readAccepted(payload: Payload): number | undefined {
  return countField(payload, 'accepted');
}

/** Of BYE. Undefined where one is missing: it does not say how the holder ended. */
export function readBye(payload: Payload): Bye | undefined {
  const closed = countField(payload, 'closed');
  const forced = countField(payload, 'forced');
  if (closed === undefined || forced === undefined) return undefined;
  return { closed, forced, ms: countField(payload, 'ms') ?? 0 };
}

export function readCount(payload: Payload): number {
  return numberField(payload, 'count');
}

/** Of NAK, which counts whatever its reason looks like. */
export function readReason({ reason }: Payload): string {
  return typeof reason === 'string' ? reason : 'no reason was given';
}

/** The highest version that both sides speak. */
export function commonVersion(theirs: readonly [number, number]): number | undefined {
  const highest = Math.min(VERSIONS[1], theirs[1]);
  return highest >= Math.max(VERSIONS[0], theirs[0]) ? highest : undefined;
}

// The successor compares: a word that nobody knows fits nothing.
function readManifestEntry(value: unknown): ManifestEntry {
  if (typeof value !== 'object' || value === null) throw protocolError('a listener is not an object');
  const entry = value as Payload;
  return {
    name: textField(entry, 'name'),
    family: textField(entry, 'family') as SocketFamily,
    type: textField(entry, 'type') as SocketType,
    address: textField(entry, 'address'),
    kind: entry['kind'] === undefined ? 'socket' : (textField(entry, 'kind') as FdInfo['kind']),
    listening: entry['listening'] !== false,
    ...(entry['inode'] === undefined ? {} : { inode: textField(entry, 'inode') }),
    ...(entry['ticketKeys'] === undefined ? {} : { ticketKeys: textField(entry, 'ticketKeys') }),
    ...(entry['state'] === undefined ? {} : { state: readStateLabel(entry['state']) }),
  };
}

function readStateLabel(value: unknown): StateLabel {
  if (typeof value !== 'object' || value === null) throw protocolError('state is not an object');
  const label = value as Payload;
  return {
    version: numberField(label, 'version'),
    bytes: numberField(label, 'bytes'),
    sha256: textField(label, 'sha256'),
  };
}

/** A figure that nothing depends on. */
export function countField(payload: Payload, name: string): number | undefined {
  const value = payload[name];
  return typeof value === 'number' && value >= 0 ? value : undefined;
}

function namesField(payload: Payload, name: string): string[] {
  const value = payload[name];
  if (Array.isArray(value) && value.every((one) => typeof one === 'string')) return value;
  throw protocolError(`${name} is not a list of strings`);
}

export function numberField(payload: Payload, name: string): number {
  const value = payload[name];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw protocolError(`${name} is not a number`);
}

export function textField(payload: Payload, name: string): string {
  const value = payload[name];
  if (typeof value === 'string') return value;
  throw protocolError(`${name} is not a string`);
}
