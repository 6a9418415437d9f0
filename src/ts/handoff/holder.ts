// The holder's side of one transaction, as a pure state machine: events in, commands out. No I/O, no clock.
// Until COMMIT has been answered nothing is irreversible: every failure just ends the transaction.
import type { Frame, FrameType } from './frame';
import { protocolError } from './frame';
import {
  type Busy,
  commonVersion,
  type Hello,
  MAX_FDS_PER_FRAME,
  type ManifestEntry,
  readCount,
  readHello,
  readReason,
  VERSIONS,
} from './payloads';
import type { HandoffTimeouts } from './timeouts';

/** What the holder is and has; fixed for the transaction. */
export interface HolderFacts {
  pid: number;
  generation: number;
  /** Asked once: a listener that comes later is not part of the transaction. */
  listeners: () => ManifestEntry[];
  timeouts: HandoffTimeouts;
  /** Who has the lease, if it is not this transaction's. */
  busy: (txn: string) => Busy | undefined;
}

export type HolderState =
  | { name: 'hello' }
  | { name: 'offer'; listeners: ManifestEntry[] }
  | { name: 'fds'; listeners: ManifestEntry[]; sent: number }
  | { name: 'warm' | 'commit' | 'draining' | 'ended' };

export type HolderEvent =
  | { type: 'start' }
  | { type: 'frame'; frame: Frame }
  /** The bytes were no acceptable frame. */
  | { type: 'garbage'; reason: string }
  | { type: 'end' }
  | { type: 'timeout' }
  /** This side calls it off. */
  | { type: 'abort'; reason: string }
  /** The old process has drained: say goodbye. */
  | { type: 'drained'; closed: number; forced: number };

export type HolderCommand =
  | { do: 'send'; type: FrameType; payload: Record<string, unknown>; fds?: string[] }
  /** Replaces the running deadline; undefined: none. */
  | { do: 'deadline'; ms: number | undefined }
  /** The lease is this transaction's from here. */
  | { do: 'lease'; txn: string; hello: Hello }
  | { do: 'ready' }
  /** Accept no more, natively, on every listener. Comes before DRAIN is sent. */
  | { do: 'stopAccepting' }
  | { do: 'supersede' }
  /** Ends the transaction; the holder serves on. */
  | { do: 'fail'; code: HolderFailure; reason: string }
  | { do: 'close' };

export type HolderFailure =
  | 'ERR_HANDOFF_ABORTED'
  | 'ERR_HANDOFF_TIMEOUT'
  | 'ERR_HANDOFF_PROTOCOL'
  | 'ERR_HANDOFF_VERSION'
  | 'ERR_HANDOFF_BUSY';

export interface HolderStep {
  state: HolderState;
  commands: HolderCommand[];
}

export const HOLDER_START: HolderState = { name: 'hello' };

/** Never throws. */
export function stepHolder(state: HolderState, event: HolderEvent, facts: HolderFacts): HolderStep {
  if (state.name === 'ended') return { state, commands: [] };
  if (state.name === 'draining') return stepDraining(state, event);
  switch (event.type) {
    case 'start':
      return { state, commands: [{ do: 'deadline', ms: facts.timeouts.hello }] };
    case 'end':
      return fail('ERR_HANDOFF_ABORTED', `the successor went away in state ${state.name}`);
    case 'timeout':
      return nak('ERR_HANDOFF_TIMEOUT', `the successor did not answer in time in state ${state.name}`);
    case 'garbage':
      return nak('ERR_HANDOFF_PROTOCOL', event.reason);
    case 'abort':
      return nak('ERR_HANDOFF_ABORTED', event.reason);
    case 'drained':
      return { state, commands: [] };
    case 'frame':
      try {
        return onFrame(state, event.frame, facts);
      } catch (error) {
        return nak('ERR_HANDOFF_PROTOCOL', (error as Error).message);
      }
  }
}

function onFrame(state: HolderState, frame: Frame, facts: HolderFacts): HolderStep {
  const { type, payload } = frame;
  if (type === 'NAK') return fail('ERR_HANDOFF_ABORTED', `the successor gave up: ${readReason(payload)}`);
  if (state.name === 'hello' && type === 'HELLO') return onHello(frame.txn, readHello(payload), facts);
  if (state.name === 'offer' && type === 'WANT') return sendNext(state.listeners, 0, facts);
  if (state.name === 'fds' && type === 'ADOPTED') {
    if (readCount(payload) !== state.sent) throw protocolError('the successor has not adopted what was sent');
    return sendNext(state.listeners, state.sent, facts);
  }
  if (state.name === 'warm' && type === 'READY') {
    return {
      state: { name: 'commit' },
      commands: [{ do: 'ready' }, send('COMMIT', {}), { do: 'deadline', ms: facts.timeouts.commit }],
    };
  }
  if (state.name === 'commit' && type === 'ACCEPTING') {
    return {
      state: { name: 'draining' },
      commands: [
        { do: 'deadline', ms: undefined },
        { do: 'stopAccepting' },
        send('DRAIN', {}),
        { do: 'supersede' },
      ],
    };
  }
  throw protocolError(`${type} does not belong into state ${state.name}`);
}

function onHello(txn: string, hello: Hello, facts: HolderFacts): HolderStep {
  const version = commonVersion(hello.versions);
  if (version === undefined) {
    const reason = `no common version: ${hello.versions.join('-')} and ${VERSIONS.join('-')}`;
    return end('ERR_HANDOFF_VERSION', reason, send('REFUSED', { versions: VERSIONS, reason }));
  }
  const busy = facts.busy(txn);
  if (busy !== undefined)
    return end('ERR_HANDOFF_BUSY', `process ${busy.pid} is first`, send('BUSY', { ...busy }));
  const { pid, generation } = facts;
  const listeners = facts.listeners();
  return {
    state: { name: 'offer', listeners },
    commands: [
      { do: 'lease', txn, hello },
      send('OFFER', { version, pid, generation, listeners }),
      { do: 'deadline', ms: facts.timeouts.fds },
    ],
  };
}

function sendNext(listeners: ManifestEntry[], sent: number, facts: HolderFacts): HolderStep {
  const names = listeners.slice(sent, sent + MAX_FDS_PER_FRAME).map((entry) => entry.name);
  if (names.length === 0) {
    return { state: { name: 'warm' }, commands: [{ do: 'deadline', ms: facts.timeouts.warm }] };
  }
  return {
    state: { name: 'fds', listeners, sent: sent + names.length },
    commands: [
      { ...send('FDS', { names }), fds: names },
      { do: 'deadline', ms: facts.timeouts.fds },
    ],
  };
}

// The successor has taken over: whatever it says or does now, this process goes on draining.
function stepDraining(state: HolderState, event: HolderEvent): HolderStep {
  if (event.type === 'drained') {
    const { closed, forced } = event;
    return { state: { name: 'ended' }, commands: [send('BYE', { closed, forced }), { do: 'close' }] };
  }
  if (event.type === 'end' || event.type === 'garbage') {
    return { state: { name: 'ended' }, commands: [{ do: 'close' }] };
  }
  return { state, commands: [] };
}

function send(type: FrameType, payload: Record<string, unknown>): HolderCommand & { do: 'send' } {
  return { do: 'send', type, payload };
}

function nak(code: HolderFailure, reason: string): HolderStep {
  return end(code, reason, send('NAK', { reason }));
}

function fail(code: HolderFailure, reason: string): HolderStep {
  return end(code, reason);
}

function end(code: HolderFailure, reason: string, ...last: HolderCommand[]): HolderStep {
  return {
    state: { name: 'ended' },
    commands: [{ do: 'deadline', ms: undefined }, ...last, { do: 'fail', code, reason }, { do: 'close' }],
  };
}
