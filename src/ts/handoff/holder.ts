// The holder's side of one transaction, as a pure state machine: events in, commands out. No I/O, no clock.
// Until FINAL nothing is irreversible: every failure leaves this process serving, or makes it serve again.
import type { Frame, FrameType } from './frame';
import { protocolError } from './frame';
import {
  type Accepting,
  type Busy,
  type Bye,
  commonVersion,
  type Figures,
  type GenerationStatus,
  type Hello,
  MAX_FDS_PER_FRAME,
  type ManifestEntry,
  type Probation,
  readAccepted,
  readAccepting,
  readCount,
  readExtension,
  readFigures,
  readHello,
  readProbation,
  readReason,
  VERSIONS,
} from './payloads';
import type { HandoffTimeouts } from './timeouts';

/** What the holder is and has; fixed for the transaction. */
export interface HolderFacts {
  pid: number;
  generation: number;
  /** Asked once: a listener that comes later is not part of the transaction. */
  listeners: (version: number, hello: Hello) => ManifestEntry[];
  timeouts: HandoffTimeouts;
  /** Who has the lease, if it is not this transaction's. */
  busy: (txn: string) => Busy | undefined;
  /** What is known of the transaction when it is decided. */
  receipt: () => object;
  /** Milliseconds since the machine came into its state. */
  inStateMs: () => number;
  /** This process and those before it, for the successor to tell. */
  generations: () => GenerationStatus[];
}

/** Version 1 knows neither PING nor probation: its successor gets COMMIT, and then DRAIN, at once. */
export type HolderState =
  | { name: 'hello' }
  | { name: 'offer'; version: number; listeners: ManifestEntry[] }
  | { name: 'fds'; version: number; listeners: ManifestEntry[]; sent: number }
  | { name: 'warm'; version: number }
  | { name: 'ping'; probation: Probation }
  /** `probation` is undefined for version 1. The holder still accepts. */
  | { name: 'commit'; probation: Probation | undefined }
  /** It does not accept, but keeps everything it needs to. `probing`: a PING is unanswered. */
  | { name: 'probation'; ms: number; intervalMs: number; probing: boolean }
  /** FINAL is sent: only the death of the successor, or its own word, can still take that back. */
  | { name: 'final' }
  /** FINAL was sent and received, and the connection is over. */
  | { name: 'severed' }
  | { name: 'draining'; version: number }
  | { name: 'ended' };

/** A process that drains tells its successor how it is, so often. */
export const REPORT_MS = 1_000;

export type HolderEvent =
  | { type: 'start' }
  | { type: 'frame'; frame: Frame }
  /** The bytes were no acceptable frame. */
  | { type: 'garbage'; reason: string }
  /** The connection is over. `heard`: all that was sent had reached the successor. */
  | { type: 'end'; heard: boolean }
  /** What 'seek' has found: the successor is dead, or cannot be seen. */
  | { type: 'dead' }
  /** The same: it lives. */
  | { type: 'alive' }
  | { type: 'timeout' }
  /** This side calls it off. */
  | { type: 'abort'; reason: string }
  /** This side wants to leave: the probation is over early. */
  | { type: 'settle' }
  /** The old process has drained: say goodbye. */
  | { type: 'drained'; bye: Bye };

export type HolderCommand =
  | { do: 'send'; type: FrameType; payload: Record<string, unknown>; fds?: string[] }
  /** Replaces the running deadline; undefined: none. */
  | { do: 'deadline'; ms: number | undefined }
  /** The lease is this transaction's from here. */
  | { do: 'lease'; txn: string; hello: Hello }
  /** The successor needs so much longer to boot. */
  | { do: 'extend'; ms: number }
  /** The successor has booted. */
  | { do: 'ready' }
  /** Stop accepting on what the successor accepts on (undefined: on everything), so that it can be undone. */
  | { do: 'pause'; accepting: Accepting }
  /** Accept again. Comes before the successor is told. */
  | { do: 'resume' }
  /** See what became of the successor whose connection is over, then say 'dead' or 'alive'. */
  | { do: 'seek' }
  /** The successor owns everything: close, drain, go. It has accepted so many connections. */
  | { do: 'supersede'; accepted: number | undefined }
  /** How the successor is. */
  | { do: 'heard'; figures: Figures }
  /** A newer process has been superseded, too. */
  | { do: 'hurry'; behind: number }
  /** Ends the transaction; the holder serves on. With `rolledBack` it serves again. */
  | { do: 'fail'; code: HolderFailure; reason: string; rolledBack: boolean }
  | { do: 'close' };

export type HolderFailure =
  | 'ERR_HANDOFF_ABORTED'
  /** The program cannot provide its state, or a descriptor is gone. */
  | 'ERR_HANDOFF_BAD_STATE'
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
  switch (state.name) {
    case 'ended':
      return stay(state);
    case 'draining':
      return stepDraining(state, event, facts);
    case 'final':
      return stepFinal(state, event, facts);
    case 'severed':
      return stepSevered(state, event, facts);
    case 'probation':
      return stepProbation(state, event, facts);
  }
  switch (event.type) {
    case 'start':
      return { state, commands: [{ do: 'deadline', ms: facts.timeouts.hello }] };
    case 'end':
      return end('ERR_HANDOFF_ABORTED', `the successor went away in state ${state.name}`);
    case 'timeout':
      return nak('ERR_HANDOFF_TIMEOUT', `the successor did not answer in time in state ${state.name}`);
    case 'garbage':
      return nak('ERR_HANDOFF_PROTOCOL', event.reason);
    case 'abort':
      return nak('ERR_HANDOFF_ABORTED', event.reason);
    case 'settle':
    case 'drained':
    case 'dead':
    case 'alive':
      return stay(state);
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
  if (type === 'NAK') return end('ERR_HANDOFF_ABORTED', `the successor gave up: ${readReason(payload)}`);
  if (state.name === 'hello' && type === 'HELLO') return onHello(frame.txn, readHello(payload), facts);
  if (state.name === 'offer' && type === 'WANT') return sendNext(state, 0, facts);
  if (state.name === 'fds' && type === 'ADOPTED') {
    if (readCount(payload) !== state.sent) throw protocolError('the successor has not adopted what was sent');
    return sendNext(state, state.sent, facts);
  }
  if (state.name === 'warm' && type === 'EXTEND') {
    const ms = readExtension(payload);
    return {
      state,
      commands: [
        { do: 'deadline', ms },
        { do: 'extend', ms },
      ],
    };
  }
  if (state.name === 'warm' && type === 'READY') return onReady(state.version, payload, facts);
  if (state.name === 'ping' && type === 'PONG') return commit(state.probation, facts);
  if (state.name === 'commit' && type === 'ACCEPTING') return onAccepting(state.probation, payload, facts);
  throw protocolError(`${type} does not belong into state ${state.name}`);
}

function onHello(txn: string, hello: Hello, facts: HolderFacts): HolderStep {
  const version = commonVersion(hello.versions);
  if (version === undefined) {
    const reason = `no common version: ${hello.versions.join('-')} and ${VERSIONS.join('-')}`;
    const refusal = send('REFUSED', { versions: VERSIONS, reason, why: 'version' });
    return end('ERR_HANDOFF_VERSION', reason, refusal);
  }
  const busy = facts.busy(txn);
  if (busy !== undefined)
    return end('ERR_HANDOFF_BUSY', `process ${busy.pid} is first`, send('BUSY', { ...busy }));
  const { pid, generation } = facts;
  const lease: HolderCommand = { do: 'lease', txn, hello };
  let listeners: ManifestEntry[];
  try {
    listeners = facts.listeners(version, hello);
  } catch (error) {
    const { state, commands } = nak('ERR_HANDOFF_BAD_STATE', (error as Error).message);
    return { state, commands: [lease, ...commands] };
  }
  return {
    state: { name: 'offer', version, listeners },
    commands: [
      lease,
      send('OFFER', { version, pid, generation, listeners }),
      { do: 'deadline', ms: facts.timeouts.fds },
    ],
  };
}

function sendNext(
  { version, listeners }: { version: number; listeners: ManifestEntry[] },
  sent: number,
  facts: HolderFacts,
): HolderStep {
  const names = listeners.slice(sent, sent + MAX_FDS_PER_FRAME).map((entry) => entry.name);
  if (names.length === 0) {
    return { state: { name: 'warm', version }, commands: [{ do: 'deadline', ms: facts.timeouts.warm }] };
  }
  return {
    state: { name: 'fds', version, listeners, sent: sent + names.length },
    commands: [
      { ...send('FDS', { names }), fds: names },
      { do: 'deadline', ms: facts.timeouts.fds },
    ],
  };
}

function onReady(version: number, payload: Frame['payload'], facts: HolderFacts): HolderStep {
  if (version === 1) {
    const { state, commands } = commit(undefined, facts);
    return { state, commands: [{ do: 'ready' }, ...commands] };
  }
  return {
    state: { name: 'ping', probation: readProbation(payload) },
    commands: [{ do: 'ready' }, send('PING', {}), { do: 'deadline', ms: facts.timeouts.ping }],
  };
}

function commit(probation: Probation | undefined, facts: HolderFacts): HolderStep {
  return {
    state: { name: 'commit', probation },
    commands: [send('COMMIT', {}), { do: 'deadline', ms: facts.timeouts.commit }],
  };
}

function onAccepting(
  probation: Probation | undefined,
  payload: Frame['payload'],
  facts: HolderFacts,
): HolderStep {
  if (probation === undefined) {
    const accepting = { inherited: undefined, bound: [], rssBytes: undefined };
    return supersede(1, undefined, facts, { do: 'pause', accepting }, send('DRAIN', {}));
  }
  const pause: HolderCommand = { do: 'pause', accepting: readAccepting(payload) };
  if (probation.ms === 0) {
    const { state, commands } = settle(facts);
    return { state, commands: [pause, ...commands] };
  }
  const { ms, intervalMs } = probation;
  return {
    state: { name: 'probation', ms, intervalMs, probing: false },
    commands: [
      pause,
      send('PROBATION', { ms, generations: facts.generations(), receipt: facts.receipt() }),
      { do: 'deadline', ms: Math.min(intervalMs, ms) },
    ],
  };
}

type InProbation = HolderState & { name: 'probation' };

function stepProbation(state: InProbation, event: HolderEvent, facts: HolderFacts): HolderStep {
  switch (event.type) {
    case 'frame':
      return onFrameInProbation(state, event.frame, facts);
    case 'timeout':
      if (state.probing)
        return rollBack('ERR_HANDOFF_TIMEOUT', 'the successor does not answer: it hangs, or is too busy');
      return {
        state: { ...state, probing: true },
        commands: [
          send('PING', { generations: facts.generations() }),
          { do: 'deadline', ms: facts.timeouts.ping },
        ],
      };
    case 'end':
      return rollBack('ERR_HANDOFF_ABORTED', 'the successor died on probation');
    case 'garbage':
      return rollBack('ERR_HANDOFF_PROTOCOL', event.reason);
    case 'abort':
      return rollBack('ERR_HANDOFF_ABORTED', event.reason);
    case 'settle':
      return settle(facts);
    default:
      return stay(state);
  }
}

function onFrameInProbation(state: InProbation, { type, payload }: Frame, facts: HolderFacts): HolderStep {
  if (type === 'PONG' && state.probing) {
    const { ms, intervalMs } = state;
    const leftMs = ms - facts.inStateMs();
    if (leftMs <= 0) return settle(facts);
    return {
      state: { ...state, probing: false },
      commands: [
        { do: 'heard', figures: readFigures(payload) },
        { do: 'deadline', ms: Math.min(intervalMs, leftMs) },
      ],
    };
  }
  // We were silent for so long that it has taken everything over.
  if (type === 'DRAIN') return supersede(2, readAccepted(payload), facts);
  if (type === 'NAK') return rollBack('ERR_HANDOFF_ABORTED', `the successor gave up: ${readReason(payload)}`);
  return rollBack('ERR_HANDOFF_PROTOCOL', `${type} does not belong into state probation`);
}

function settle(facts: HolderFacts): HolderStep {
  return {
    state: { name: 'final' },
    commands: [send('FINAL', { receipt: facts.receipt() }), { do: 'deadline', ms: facts.timeouts.commit }],
  };
}

// The successor may have read FINAL, and be primary: only what proves that it has not, or is dead, brings us back.
function stepFinal(state: HolderState, event: HolderEvent, facts: HolderFacts): HolderStep {
  if (event.type === 'end' && !event.heard)
    return rollBack('ERR_HANDOFF_ABORTED', 'the connection to the successor was over before FINAL');
  if (event.type === 'end')
    return { state: { name: 'severed' }, commands: [{ do: 'deadline', ms: undefined }, { do: 'seek' }] };
  if (event.type === 'frame') {
    const { type, payload } = event.frame;
    if (type === 'NAK')
      return rollBack('ERR_HANDOFF_ABORTED', `the successor gave up: ${readReason(payload)}`);
    if (type === 'PONG') return stay(state); // settle() did not wait for it
    return supersede(2, readAccepted(payload), facts);
  }
  const silent = event.type === 'timeout' || event.type === 'garbage';
  return silent ? supersede(2, undefined, facts) : stay(state);
}

// Unless it is dead the service is the successor's.
function stepSevered(state: HolderState, event: HolderEvent, facts: HolderFacts): HolderStep {
  if (event.type === 'dead')
    return rollBack('ERR_HANDOFF_ABORTED', 'the successor died as it was to own it all');
  return event.type === 'alive' ? supersede(2, undefined, facts) : stay(state);
}

// The successor has taken over: whatever it says or does now, this process goes on draining.
function stepDraining(
  state: HolderState & { name: 'draining' },
  event: HolderEvent,
  facts: HolderFacts,
): HolderStep {
  if (event.type === 'timeout') return { state, commands: report(state.version, facts) };
  if (event.type === 'drained') {
    return ended(send('BYE', { ...event.bye }));
  }
  if (event.type === 'end' || event.type === 'garbage') return ended();
  if (event.type === 'frame' && event.frame.type === 'HURRY') {
    const { behind } = event.frame.payload;
    return { state, commands: typeof behind === 'number' ? [{ do: 'hurry', behind }] : [] };
  }
  return stay(state);
}

function supersede(
  version: number,
  accepted: number | undefined,
  facts: HolderFacts,
  ...first: HolderCommand[]
): HolderStep {
  return {
    state: { name: 'draining', version },
    commands: [...first, { do: 'supersede', accepted }, ...report(version, facts)],
  };
}

/** Version 1 does not know it. */
function report(version: number, facts: HolderFacts): HolderCommand[] {
  if (version === 1) return [{ do: 'deadline', ms: undefined }];
  return [send('REPORT', { generations: facts.generations() }), { do: 'deadline', ms: REPORT_MS }];
}

function ended(...last: HolderCommand[]): HolderStep {
  return {
    state: { name: 'ended' },
    commands: [{ do: 'deadline', ms: undefined }, ...last, { do: 'close' }],
  };
}

function send(type: FrameType, payload: Record<string, unknown>): HolderCommand & { do: 'send' } {
  return { do: 'send', type, payload };
}

function stay(state: HolderState): HolderStep {
  return { state, commands: [] };
}

function nak(code: HolderFailure, reason: string): HolderStep {
  return end(code, reason, send('NAK', { reason }));
}

// First accept, then tell the successor that it may stop.
function rollBack(code: HolderFailure, reason: string): HolderStep {
  const { state, commands } = nak(code, reason);
  const failure: HolderCommand = { do: 'fail', code, reason, rolledBack: true };
  return {
    state,
    commands: [{ do: 'resume' }, ...commands.map((command) => (command.do === 'fail' ? failure : command))],
  };
}

function end(code: HolderFailure, reason: string, ...last: HolderCommand[]): HolderStep {
  return ended(...last, { do: 'fail', code, reason, rolledBack: false });
}
