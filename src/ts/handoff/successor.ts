// The successor's side of one transaction, as a pure state machine: events in, commands out. No I/O, no clock.
// In doubt both sides accept: that is safe, because they share one queue of connections.
import type { Frame, FrameType } from './frame';
import { protocolError } from './frame';
import {
  type Busy,
  type ManifestEntry,
  type Offer,
  readBusy,
  readNames,
  readOffer,
  readReason,
  readVersions,
  VERSIONS,
} from './payloads';
import type { HandoffTimeouts } from './timeouts';

export interface SuccessorFacts {
  uptimeMs: () => number;
  timeouts: HandoffTimeouts;
}

export type SuccessorState =
  | { name: 'hello' }
  | { name: 'fds'; listeners: ManifestEntry[]; received: number }
  /** All descriptors are here; the program boots. The holder's deadline runs. */
  | { name: 'warm' }
  /** The holder died while we booted: nobody to ask, nobody to wait for. */
  | { name: 'orphan' }
  /** READY is sent. */
  | { name: 'ready' }
  /** COMMIT has come, or the holder is gone: every listener is being opened for connections. */
  | { name: 'opening'; alone: boolean }
  /** ACCEPTING is sent. */
  | { name: 'accepting' }
  /** We serve. `confirmed`: the holder has said so; else it is silent and may still take it back. */
  | { name: 'primary'; confirmed: boolean }
  | { name: 'ended' };

export type SuccessorEvent =
  | { type: 'start' }
  | { type: 'frame'; frame: Frame }
  | { type: 'garbage'; reason: string }
  | { type: 'end' }
  | { type: 'timeout' }
  /** The program has called ready(). */
  | { type: 'ready' }
  /** Every listener accepts. */
  | { type: 'accepting' }
  /** The program cannot go on. */
  | { type: 'giveUp'; reason: string };

export type SuccessorCommand =
  | { do: 'send'; type: FrameType; payload: Record<string, unknown> }
  | { do: 'deadline'; ms: number | undefined }
  | { do: 'offered'; offer: Offer }
  /** Every descriptor of the manifest is here. */
  | { do: 'inherited' }
  /** Accept on every listener, then say 'accepting'. */
  | { do: 'accept' }
  /** The lease and the names are ours. */
  | { do: 'own' }
  /** Give everything inherited back; stop accepting if we do. */
  | { do: 'fail'; code: SuccessorFailure; reason: string; busy?: Busy }
  | { do: 'close' };

export type SuccessorFailure =
  | 'ERR_HANDOFF_ABORTED'
  | 'ERR_HANDOFF_BUSY'
  | 'ERR_HANDOFF_PROTOCOL'
  | 'ERR_HANDOFF_TIMEOUT'
  | 'ERR_HANDOFF_VERSION'
  /** The holder went away before it had given anything: start over. */
  | 'ERR_HANDOFF_HOLDER_GONE';

export interface SuccessorStep {
  state: SuccessorState;
  commands: SuccessorCommand[];
}

export const SUCCESSOR_START: SuccessorState = { name: 'hello' };

/** Never throws. */
export function stepSuccessor(
  state: SuccessorState,
  event: SuccessorEvent,
  facts: SuccessorFacts,
): SuccessorStep {
  if (state.name === 'ended') return { state, commands: [] };
  switch (event.type) {
    case 'start': {
      const hello = { versions: VERSIONS, uptimeMs: facts.uptimeMs() };
      return { state, commands: [send('HELLO', hello), { do: 'deadline', ms: facts.timeouts.hello }] };
    }
    case 'ready':
      return onReady(state, facts);
    case 'accepting':
      return onAccepting(state, facts);
    case 'giveUp':
      return nak('ERR_HANDOFF_ABORTED', event.reason);
    case 'end':
      return onHolderGone(state);
    case 'timeout':
      return onTimeout(state);
    case 'garbage':
      return onNonsense(state, event.reason);
    case 'frame':
      try {
        return onFrame(state, event.frame, facts);
      } catch (error) {
        return onNonsense(state, (error as Error).message);
      }
  }
}

function onFrame(state: SuccessorState, frame: Frame, facts: SuccessorFacts): SuccessorStep {
  const { type, payload } = frame;
  if (state.name === 'primary') return onFrameAsPrimary(state, frame);
  if (type === 'NAK')
    return fail('ERR_HANDOFF_ABORTED', `the predecessor called it off: ${readReason(payload)}`);
  if (state.name === 'hello') return onAnswer(frame, facts);
  if (state.name === 'fds' && type === 'FDS') return onFds(state, readNames(payload), facts);
  if (state.name === 'ready' && type === 'COMMIT') {
    return open(false);
  }
  if (state.name === 'accepting' && type === 'DRAIN') return own(true);
  throw protocolError(`${type} does not belong into state ${state.name}`);
}

function onAnswer({ type, payload }: Frame, facts: SuccessorFacts): SuccessorStep {
  if (type === 'OFFER') {
    const offer = readOffer(payload);
    if (offer.version < VERSIONS[0] || offer.version > VERSIONS[1]) {
      throw protocolError(`the predecessor chose version ${offer.version}, which was not on offer`);
    }
    return {
      state: { name: 'fds', listeners: offer.listeners, received: 0 },
      commands: [{ do: 'offered', offer }, send('WANT', {}), { do: 'deadline', ms: facts.timeouts.fds }],
    };
  }
  if (type === 'BUSY') {
    const busy = readBusy(payload);
    return fail('ERR_HANDOFF_BUSY', `process ${busy.pid} is in state ${busy.state}`, busy);
  }
  if (type === 'REFUSED') {
    const reason = `${readReason(payload)} (the predecessor speaks ${readVersions(payload).join('-')})`;
    return fail('ERR_HANDOFF_VERSION', reason);
  }
  throw protocolError(`${type} is no answer to HELLO`);
}

// The driver has checked that as many descriptors came as names.
function onFds(
  state: SuccessorState & { name: 'fds' },
  names: string[],
  facts: SuccessorFacts,
): SuccessorStep {
  const received = state.received + names.length;
  const expected = state.listeners.slice(state.received, received).map((entry) => entry.name);
  if (names.length === 0 || names.join() !== expected.join()) {
    throw protocolError('the descriptors are not those of the manifest');
  }
  const answer = send('ADOPTED', { count: received });
  if (received < state.listeners.length) {
    return { state: { ...state, received }, commands: [answer, { do: 'deadline', ms: facts.timeouts.fds }] };
  }
  return {
    state: { name: 'warm' },
    commands: [answer, { do: 'deadline', ms: undefined }, { do: 'inherited' }],
  };
}

function onReady(state: SuccessorState, facts: SuccessorFacts): SuccessorStep {
  if (state.name === 'orphan') return open(true);
  if (state.name !== 'warm') return { state, commands: [] };
  return {
    state: { name: 'ready' },
    commands: [send('READY', {}), { do: 'deadline', ms: facts.timeouts.commit }],
  };
}

function onAccepting(state: SuccessorState, facts: SuccessorFacts): SuccessorStep {
  if (state.name !== 'opening') return { state, commands: [] };
  if (state.alone) return own(true);
  return {
    state: { name: 'accepting' },
    commands: [send('ACCEPTING', {}), { do: 'deadline', ms: facts.timeouts.commit }],
  };
}

function onHolderGone(state: SuccessorState): SuccessorStep {
  switch (state.name) {
    case 'hello':
    case 'fds':
      return fail('ERR_HANDOFF_HOLDER_GONE', 'the predecessor went away');
    case 'warm':
      return { state: { name: 'orphan' }, commands: [] };
    case 'ready':
      return open(true);
    case 'opening':
      return { state: { name: 'opening', alone: true }, commands: [] };
    case 'accepting':
      return own(true);
    case 'primary':
      return { state: { name: 'ended' }, commands: [{ do: 'deadline', ms: undefined }, { do: 'close' }] };
    default:
      return { state, commands: [] };
  }
}

function onTimeout(state: SuccessorState): SuccessorStep {
  // It may have stopped accepting and be stuck, or be stuck and still accept: going on is right in both cases.
  if (state.name === 'accepting') return own(false);
  if (state.name === 'primary') return { state, commands: [] };
  return nak('ERR_HANDOFF_TIMEOUT', `the predecessor did not answer in time in state ${state.name}`);
}

function onNonsense(state: SuccessorState, reason: string): SuccessorStep {
  // It may have stopped accepting: then we are all there is. A NAK can still take it back.
  if (state.name === 'accepting') return own(false);
  if (state.name === 'primary' && !state.confirmed) return { state, commands: [] };
  if (state.name === 'primary') return { state: { name: 'ended' }, commands: [{ do: 'close' }] };
  return nak('ERR_HANDOFF_PROTOCOL', reason);
}

function onFrameAsPrimary(state: SuccessorState & { name: 'primary' }, frame: Frame): SuccessorStep {
  if (frame.type === 'DRAIN' && !state.confirmed)
    return { state: { name: 'primary', confirmed: true }, commands: [] };
  if (frame.type === 'BYE') return { state: { name: 'ended' }, commands: [{ do: 'close' }] };
  if (frame.type === 'NAK' && !state.confirmed) {
    return fail('ERR_HANDOFF_ABORTED', `the predecessor took it back: ${readReason(frame.payload)}`);
  }
  return { state, commands: [] };
}

function open(alone: boolean): SuccessorStep {
  return {
    state: { name: 'opening', alone },
    commands: [{ do: 'deadline', ms: undefined }, { do: 'accept' }],
  };
}

function own(confirmed: boolean): SuccessorStep {
  return {
    state: { name: 'primary', confirmed },
    commands: [{ do: 'deadline', ms: undefined }, { do: 'own' }],
  };
}

function send(type: FrameType, payload: Record<string, unknown>): SuccessorCommand {
  return { do: 'send', type, payload };
}

function nak(code: SuccessorFailure, reason: string): SuccessorStep {
  const { state, commands } = fail(code, reason);
  return { state, commands: [send('NAK', { reason }), ...commands] };
}

function fail(code: SuccessorFailure, reason: string, busy?: Busy): SuccessorStep {
  const failure: SuccessorCommand = { do: 'fail', code, reason, ...(busy === undefined ? {} : { busy }) };
  return {
    state: { name: 'ended' },
    commands: [{ do: 'deadline', ms: undefined }, failure, { do: 'close' }],
  };
}
