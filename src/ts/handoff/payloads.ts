// What each frame carries. Readers check the fields they know and ignore the others, so that a later
// minor version can add some. Pure.
import type { SocketFamily, SocketType } from '../fd/describe';
import { protocolError } from './frame';

/** Versions of the protocol that this code speaks, both included. */
export const VERSIONS: readonly [min: number, max: number] = [1, 1];

/** Descriptors in one FDS frame. 16 to 64 moved connections fastest; below 253 in any case. */
export const MAX_FDS_PER_FRAME = 64;

/** Listeners of one process: their manifest must fit into one frame. */
export const MAX_LISTENERS = 253;

/** The name under which the control socket itself is handed over. Not a name that listen() accepts. */
export const CONTROL_NAME = '(control)';

/** A listener as the holder describes it, for the successor to check what it receives. */
export interface ManifestEntry {
  name: string;
  family: SocketFamily;
  type: SocketType;
  /** printEndpoint() of what it is bound to. */
  address: string;
}

export interface Hello {
  versions: readonly [number, number];
  /** How long the successor has been running, to tell how long it took to start. */
  uptimeMs: number;
}

export interface Offer {
  version: number;
  pid: number;
  generation: number;
  listeners: ManifestEntry[];
}

export interface Busy {
  pid: number;
  ageMs: number;
  state: string;
}

type Payload = Record<string, unknown>;

export function readHello(payload: Payload): Hello {
  return { versions: readVersions(payload), uptimeMs: numberField(payload, 'uptimeMs') };
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
  if (!Array.isArray(listeners) || listeners.length > MAX_LISTENERS + 1) {
    throw protocolError('listeners is not a list of acceptable length');
  }
  return {
    version: numberField(payload, 'version'),
    pid: numberField(payload, 'pid'),
    generation: numberField(payload, 'generation'),
    listeners: listeners.map(readManifestEntry),
  };
}

export function readBusy(payload: Payload): Busy {
  return {
    pid: numberField(payload, 'pid'),
    ageMs: numberField(payload, 'ageMs'),
    state: textField(payload, 'state'),
  };
}

export function readNames(payload: Payload): string[] {
  const { names } = payload;
  if (Array.isArray(names) && names.every((name) => typeof name === 'string')) return names;
  throw protocolError('names is not a list of strings');
}

export function readCount(payload: Payload): number {
  return numberField(payload, 'count');
}

export function readReason(payload: Payload): string {
  return textField(payload, 'reason');
}

/** The highest version that both sides speak. */
export function commonVersion(theirs: readonly [number, number]): number | undefined {
  const highest = Math.min(VERSIONS[1], theirs[1]);
  return highest >= Math.max(VERSIONS[0], theirs[0]) ? highest : undefined;
}

function readManifestEntry(value: unknown): ManifestEntry {
  if (typeof value !== 'object' || value === null) throw protocolError('a listener is not an object');
  const entry = value as Payload;
  return {
    name: textField(entry, 'name'),
    family: textField(entry, 'family') as SocketFamily,
    type: textField(entry, 'type') as SocketType,
    address: textField(entry, 'address'),
  };
}

function numberField(payload: Payload, name: string): number {
  const value = payload[name];
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  throw protocolError(`${name} is not a number`);
}

function textField(payload: Payload, name: string): string {
  const value = payload[name];
  if (typeof value === 'string') return value;
  throw protocolError(`${name} is not a string`);
}
