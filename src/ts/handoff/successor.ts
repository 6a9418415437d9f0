// The successor's side of one transaction, as a pure state machine: events in, commands out. No I/O, no clock.
// In doubt both sides accept: that is safe, because they share one queue of connections.
import type { Frame, FrameType } from './frame';
import { protocolError } from './frame';
import {
  type Accepting,
  type Busy,
  type Bye,
  type Figures,
  type GenerationStatus,
  type ManifestEntry,
  type Offer,
  type Probation,
  readBusy,
  readBye,
  readGenerations,
  readNames,
  readOffer,
  readReason,
  readRefusal,
  VERSIONS,
} from './payloads';
import type { HandoffTimeouts } from './timeouts';

export interface SuccessorFacts {
  uptimeMs: () => number;
  timeouts: HandoffTimeouts;
  /** What this process asks for. */
  probation: Probation;
  stateOptional: boolean;
  /** It is the primary of a pool. */
  pool?: boolean;
  /** Connections that it has accepted. */
  accepted: () => number;
  /** How it is, for the holder to tell. */
  figures: () => Figures;
}

export type SuccessorState =
  | { name: 'hello' }
  | { name: 'fds'; version: number; listeners: ManifestEntry[]; received: number }
  /** All descriptors are here; the program boots. The holder's deadline runs. */
  | { name: 'warm'; version: number }
  /** The holder died while we booted: nobody to ask, nobody to wait for. */
  | { name: 'orphan' }
  /** READY is sent. */
  | { name: 'ready'; version: number }
  /** COMMIT has come, or the holder is gone: every listener is being opened for connections. */
  | { name: 'opening'; version: number; alone: boolean }
  /** ACCEPTING is sent. */
  | { name: 'accepting'; version: number }
  /** We serve, and the holder stands by. */
  | { name: 'probation'; receipt: unknown }
  /** NAK is sent: we serve until the holder has said that it does. `final`: FINAL has come meanwhile. */
  | { name: 'failing'; reason: string; receipt: unknown; final: boolean }
  /** We serve and own everything. `confirmed`: the holder has said so; else it is silent and may still take it back. */
  | { name: 'primary'; version: number; confirmed: boolean }
  | { name: 'ended' };

export type SuccessorEvent =
  | { type: 'start' }
  | { type: 'frame'; frame: Frame }
  | { type: 'garbage'; reason: string }
  /** The connection is over. */
  | { type: 'end' }
  /** What 'seek' has found: the holder is dead, or cannot be seen. */
  | { type: 'dead' }
  /** The same: it lives, and has seen the end as well. */
  | { type: 'alive' }
  | { type: 'timeout' }
  /** The program has called ready(). */
  | { type: 'ready' }
  /** The program needs so much longer to boot. */
  | { type: 'extend'; ms: number }
  /** Every listener accepts; these were the holder's. */
  | { type: 'accepting'; accepting: Accepting }
  /** The health check has passed. */
  | { type: 'healthy' }
  /** The program cannot go on. */
  | { type: 'giveUp'; reason: string }
  /** This process has been superseded itself, and so have `behind` - 1 after it. */
  | { type: 'hurry'; behind: number };

export type SuccessorCommand =
  | { do: 'send'; type: FrameType; payload: Record<string, unknown> }
  | { do: 'deadline'; ms: number | undefined }
  | { do: 'offered'; offer: Offer }
  /** Every descriptor of the manifest is here. */
  | { do: 'inherited' }
  /** Accept on every listener, then say 'accepting'. */
  | { do: 'accept' }
  /** We are the only ones who accept; on probation. */
  | { do: 'serve' }
  /** See whether the program is well, then say 'healthy' or 'giveUp'. */
  | { do: 'check' }
  /** The lease and the names are ours. With what the holder knows of the transaction. */
  | { do: 'own'; receipt: unknown }
  /** How the holder is, and those before it. */
  | { do: 'heard'; generations: GenerationStatus[] }
  /** See what became of the holder whose connection is over, then say 'dead' or 'alive'. */
  | { do: 'seek' }
  /** We gave up and nobody answers: serve on. */
  | { do: 'unheard' }
  /** The holder has drained and gone. Without a word it died. */
  | { do: 'gone'; bye: Bye | undefined }
  /** Give everything inherited back; stop accepting if we do. */
  | { do: 'fail'; code: SuccessorFailure; reason: string; busy?: Busy }
  | { do: 'close' };

export type SuccessorFailure =
  | 'ERR_HANDOFF_ABORTED'
  | 'ERR_HANDOFF_BUSY'
  | 'ERR_HANDOFF_PROTOCOL'
  | 'ERR_HANDOFF_REFUSED'
  | 'ERR_HANDOFF_ROLLED_BACK'
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
  if (state.name === 'ended') return stay(state);
  switch (event.type) {
    case 'start': {
      const { stateOptional } = facts;
      const pool = facts.pool ? { pool: true } : {};
      const hello = { versions: VERSIONS, uptimeMs: facts.uptimeMs(), stateOptional, ...pool };
      return { state, commands: [send('HELLO', hello), { do: 'deadline', ms: facts.timeouts.hello }] };
    }
    case 'ready':
      return onReady(state, facts);
    case 'extend': {
      const waited = state.name === 'warm' && state.version > 1;
      return { state, commands: waited ? [send('EXTEND', { ms: event.ms })] : [] };
    }
    case 'accepting':
      return onAccepting(state, event.accepting, facts);
    case 'healthy':
      return state.name === 'probation'
        ? { state, commands: [send('PONG', facts.figures()), ...patience(facts)] }
        : stay(state);
    case 'giveUp':
      return onGiveUp(state, event.reason, facts);
    case 'hurry': {
      const speaks = state.name === 'primary' && state.version > 1;
      return { state, commands: speaks ? [send('HURRY', { behind: event.behind })] : [] };
    }
    case 'end':
      return onEnd(state);
    case 'dead':
      return onHolderDead(state);
    case 'alive':
      return onHolderAlive(state);
    case 'timeout':
      return onTimeout(state, facts);
    case 'garbage':
      return onNonsense(state, event.reason, facts);
    case 'frame':
      try {
        return onFrame(state, event.frame, facts);
      } catch (error) {
        return onNonsense(state, (error as Error).message, facts);
      }
  }
}

function onFrame(state: SuccessorState, frame: Frame, facts: SuccessorFacts): SuccessorStep {
  const { type, payload } = frame;
  switch (state.name) {
    case 'hello':
      return onAnswer(frame, facts);
    case 'fds':
      if (type === 'FDS') return onFds(state, readNames(payload), facts);
      break;
    case 'ready':
      if (type === 'PING' && state.version > 1)
        return { state, commands: [send('PONG', {}), { do: 'deadline', ms: facts.timeouts.commit }] };
      if (type === 'COMMIT') return open(state.version, false);
      break;
    case 'accepting':
      return onFrameAsAccepting(state, frame, facts);
    case 'probation':
      return onFrameInProbation(state, frame, facts);
    case 'failing':
      return onFrameAsFailing(state, type);
    case 'primary':
      return onFrameAsPrimary(state, frame);
  }
  return refuse(state, frame);
}

function refuse(state: SuccessorState, { type, payload }: Frame): SuccessorStep {
  if (type === 'NAK')
    return fail('ERR_HANDOFF_ABORTED', `the predecessor called it off: ${readReason(payload)}`);
  throw protocolError(`${type} does not belong into state ${state.name}`);
}

function onAnswer({ type, payload }: Frame, facts: SuccessorFacts): SuccessorStep {
  if (type === 'OFFER') {
    const offer = readOffer(payload);
    if (offer.version < VERSIONS[0] || offer.version > VERSIONS[1]) {
      throw protocolError(`the predecessor chose version ${offer.version}, which was not on offer`);
    }
    const { version, listeners } = offer;
    return {
      state: { name: 'fds', version, listeners, received: 0 },
      commands: [{ do: 'offered', offer }, send('WANT', {}), { do: 'deadline', ms: facts.timeouts.fds }],
    };
  }
  if (type === 'BUSY') {
    const busy = readBusy(payload);
    return fail('ERR_HANDOFF_BUSY', `process ${busy.pid} is in state ${busy.state}`, busy);
  }
  if (type === 'REFUSED') {
    const { versions, reason, why } = readRefusal(payload);
    if (why === 'user') return fail('ERR_HANDOFF_REFUSED', `the predecessor refuses: ${reason}`);
    return fail('ERR_HANDOFF_VERSION', `${reason} (the predecessor speaks ${versions.join('-')})`);
  }
  return refuse({ name: 'hello' }, { type, payload } as Frame);
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
    state: { name: 'warm', version: state.version },
    commands: [answer, { do: 'deadline', ms: undefined }, { do: 'inherited' }],
  };
}

function onReady(state: SuccessorState, facts: SuccessorFacts): SuccessorStep {
  if (state.name === 'orphan') return open(VERSIONS[1], true);
  if (state.name !== 'warm') return stay(state);
  const { version } = state;
  const { ms, intervalMs } = facts.probation;
  return {
    state: { name: 'ready', version },
    commands: [
      send('READY', version > 1 ? { probationMs: ms, intervalMs } : {}),
      { do: 'deadline', ms: facts.timeouts.commit },
    ],
  };
}

function onAccepting(state: SuccessorState, accepting: Accepting, facts: SuccessorFacts): SuccessorStep {
  if (state.name !== 'opening') return stay(state);
  const { version, alone } = state;
  if (alone) return ownAlone();
  return {
    state: { name: 'accepting', version },
    commands: [
      send('ACCEPTING', version > 1 ? { ...accepting } : {}),
      { do: 'deadline', ms: facts.timeouts.commit },
    ],
  };
}

function onFrameAsAccepting(
  state: SuccessorState & { name: 'accepting' },
  frame: Frame,
  facts: SuccessorFacts,
): SuccessorStep {
  const { version } = state;
  if (version === 1 && frame.type === 'DRAIN') return own(1, true);
  if (version > 1 && frame.type === 'PROBATION')
    return {
      state: { name: 'probation', receipt: frame.payload['receipt'] },
      commands: [heard(frame), ...patience(facts), { do: 'serve' }],
    };
  if (version > 1 && frame.type === 'FINAL') return ownAndSaySo(facts, true, frame.payload['receipt']);
  return refuse(state, frame);
}

function onFrameInProbation(
  state: SuccessorState & { name: 'probation' },
  frame: Frame,
  facts: SuccessorFacts,
): SuccessorStep {
  if (frame.type === 'PING') return { state, commands: [heard(frame), ...patience(facts), { do: 'check' }] };
  if (frame.type === 'FINAL') return ownAndSaySo(facts, true, frame.payload['receipt']);
  if (frame.type === 'NAK') return rolledBack(readReason(frame.payload));
  throw protocolError(`${frame.type} does not belong into state probation`);
}

// PING and FINAL may have been on their way. Behind our NAK comes theirs, if it was read in time.
function onFrameAsFailing(state: SuccessorState & { name: 'failing' }, type: FrameType): SuccessorStep {
  if (type === 'NAK') return rolledBack(state.reason);
  return stay(type === 'FINAL' ? { ...state, final: true } : state);
}

function onFrameAsPrimary(state: SuccessorState & { name: 'primary' }, frame: Frame): SuccessorStep {
  if (frame.type === 'BYE')
    return {
      state: { name: 'ended' },
      commands: [{ do: 'gone', bye: readBye(frame.payload) }, { do: 'close' }],
    };
  if (frame.type === 'REPORT') return { state: { ...state, confirmed: true }, commands: [heard(frame)] }; // it drains
  if (state.confirmed) return stay(state);
  if (frame.type === 'DRAIN' || frame.type === 'FINAL') return stay({ ...state, confirmed: true });
  if (frame.type === 'NAK') return rolledBack(readReason(frame.payload));
  return stay(state);
}

// Until the holder may have stopped accepting, giving up needs nobody's consent.
function onGiveUp(state: SuccessorState, reason: string, facts: SuccessorFacts): SuccessorStep {
  const mayBeAlone = state.name === 'probation' || (state.name === 'accepting' && state.version > 1);
  if (mayBeAlone) {
    return {
      state: {
        name: 'failing',
        reason,
        receipt: state.name === 'probation' ? state.receipt : undefined,
        final: false,
      },
      commands: [send('NAK', { reason }), { do: 'deadline', ms: facts.timeouts.commit }],
    };
  }
  // NAK is said already; whoever asks again waits no longer than the first one.
  if (state.name === 'failing') return { state, commands: [{ do: 'deadline', ms: facts.timeouts.commit }] };
  if (state.name === 'primary') return stay(state);
  return nak('ERR_HANDOFF_ABORTED', reason);
}

function onEnd(state: SuccessorState): SuccessorStep {
  switch (state.name) {
    case 'hello':
    case 'fds':
      return fail('ERR_HANDOFF_HOLDER_GONE', 'the predecessor went away');
    case 'primary':
      return {
        state: { name: 'ended' },
        commands: [{ do: 'deadline', ms: undefined }, { do: 'gone', bye: undefined }, { do: 'close' }],
      };
    default:
      return { state, commands: [{ do: 'deadline', ms: undefined }, { do: 'seek' }] };
  }
}

function onHolderDead(state: SuccessorState): SuccessorStep {
  switch (state.name) {
    case 'warm':
      return { state: { name: 'orphan' }, commands: [] };
    case 'ready':
      return open(state.version, true);
    case 'opening':
      return { state: { ...state, alone: true }, commands: [] };
    case 'accepting':
      return ownAlone();
    case 'probation':
    case 'failing':
      return ownAlone(state.receipt);
    default:
      return stay(state);
  }
}

// Without FINAL the service is the holder's: it serves on, or serves again since it has seen the end.
function onHolderAlive(state: SuccessorState): SuccessorStep {
  const reason = 'the connection to the predecessor was lost, and it lives';
  switch (state.name) {
    case 'accepting':
    case 'probation':
      return rolledBack(reason);
    case 'failing':
      return state.final ? ownAlone(state.receipt) : rolledBack(state.reason);
    default:
      return fail('ERR_HANDOFF_ABORTED', reason);
  }
}

function onTimeout(state: SuccessorState, facts: SuccessorFacts): SuccessorStep {
  switch (state.name) {
    // It may have stopped accepting and be stuck, or be stuck and still accept: going on is right in both cases.
    case 'accepting':
      return state.version > 1 ? ownAndSaySo(facts, false) : own(1, false);
    case 'probation':
      return ownAndSaySo(facts, false, state.receipt);
    case 'failing':
      return { state, commands: [{ do: 'deadline', ms: undefined }, { do: 'unheard' }] };
    case 'primary':
      return stay(state);
    default:
      return nak('ERR_HANDOFF_TIMEOUT', `the predecessor did not answer in time in state ${state.name}`);
  }
}

function onNonsense(state: SuccessorState, reason: string, facts: SuccessorFacts): SuccessorStep {
  switch (state.name) {
    // It may have stopped accepting: then we are all there is. A NAK can still take it back.
    case 'accepting':
      return state.version > 1 ? ownAndSaySo(facts, false) : own(1, false);
    case 'probation':
      return ownAndSaySo(facts, false, state.receipt);
    case 'failing':
      return stay(state);
    case 'primary':
      if (!state.confirmed) return stay(state);
      return { state: { name: 'ended' }, commands: [{ do: 'gone', bye: undefined }, { do: 'close' }] };
    default:
      return nak('ERR_HANDOFF_PROTOCOL', reason);
  }
}

/** The holder sends something every `intervalMs`, unless it is stuck. */
function patience({ probation, timeouts }: SuccessorFacts): SuccessorCommand[] {
  return [{ do: 'deadline', ms: probation.intervalMs + timeouts.ping + timeouts.commit }];
}

function open(version: number, alone: boolean): SuccessorStep {
  return {
    state: { name: 'opening', version, alone },
    commands: [{ do: 'deadline', ms: undefined }, { do: 'accept' }],
  };
}

function own(version: number, confirmed: boolean, receipt?: unknown): SuccessorStep {
  return {
    state: { name: 'primary', version, confirmed },
    commands: [
      { do: 'deadline', ms: undefined },
      { do: 'own', receipt },
    ],
  };
}

/**
 * The holder drains from here; one that was stuck reads it when it wakes up.
 * @param confirmed FINAL has come
 */
function ownAndSaySo(facts: SuccessorFacts, confirmed: boolean, receipt?: unknown): SuccessorStep {
  const { state, commands } = own(VERSIONS[1], confirmed, receipt);
  return { state, commands: [...commands, send('DRAIN', { accepted: facts.accepted() })] };
}

/** @param receipt what PROBATION brought */
function ownAlone(receipt?: unknown): SuccessorStep {
  return {
    state: { name: 'ended' },
    commands: [
      { do: 'deadline', ms: undefined },
      { do: 'own', receipt },
      { do: 'gone', bye: undefined },
      { do: 'close' },
    ],
  };
}

function heard({ payload }: Frame): SuccessorCommand {
  return { do: 'heard', generations: readGenerations(payload) };
}

function send(type: FrameType, payload: Record<string, unknown>): SuccessorCommand {
  return { do: 'send', type, payload };
}

function stay(state: SuccessorState): SuccessorStep {
  return { state, commands: [] };
}

function rolledBack(reason: string): SuccessorStep {
  return fail('ERR_HANDOFF_ROLLED_BACK', `the predecessor serves again: ${reason}`);
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
