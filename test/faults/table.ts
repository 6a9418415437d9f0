// The fault matrix as data: who may be struck by what, in which state, and who has to serve in the end. The test runs a part
// of it, `npm run faults` all of it.
import { spawnSync } from 'node:child_process';
import type { Fault, How } from '../fixtures/fault';

export type Side = 'old' | 'new';

export const states = {
  /** Of the successor. Named for what the holder waits for. */
  new: ['boot', 'hello', 'offer', 'fds', 'warm', 'ping', 'commit', 'probation', 'final', 'drain'],
  /** Of the holder. Named for what the successor waits for. */
  old: ['hello', 'fds', 'warm', 'ping', 'commit', 'probation', 'probing', 'final', 'drain'],
} as const;

export type State = (typeof states)[Side][number];

export const faults: readonly How[] = [
  'SIGKILL',
  'SIGSTOP',
  'exit 0',
  'exit 1',
  'EOF',
  'garbage',
  'sequence',
  'version',
  'no descriptors',
  'disk full',
];

export interface Cell {
  side: Side;
  state: State;
  how: How;
  /** 'either': each is right, as long as it is one. */
  wins: Side | 'either';
  /** When it happens. Without frame and `atBoot`: when the test says so. */
  at: Pick<Fault, 'frame' | 'nth' | 'atBoot'>;
  /** In the part that `npm test` runs. */
  short: boolean;
}

/** A combination that does not exist, and why. */
export interface NotApplicable {
  side: Side;
  state: State;
  how: How;
  why: string;
}

/** What the process is about to send when it happens: the other side waits for that in the state. */
const frames: Record<Side, Partial<Record<State, Cell['at']>>> = {
  new: {
    boot: { atBoot: true },
    hello: { frame: 'HELLO' },
    offer: { frame: 'WANT' },
    fds: { frame: 'ADOPTED' },
    warm: { frame: 'READY' },
    ping: { frame: 'PONG' },
    commit: { frame: 'ACCEPTING' },
    probation: { frame: 'PONG', nth: 2 },
    final: { frame: 'DRAIN' },
  },
  old: {
    hello: { frame: 'OFFER' },
    fds: { frame: 'FDS' },
    ping: { frame: 'PING' },
    commit: { frame: 'COMMIT' },
    probation: { frame: 'PROBATION' },
    probing: { frame: 'PING', nth: 2 },
    final: { frame: 'FINAL' },
    drain: { frame: 'BYE' },
  },
};

const nonsense: readonly How[] = ['garbage', 'sequence', 'version'];
const deadly: readonly How[] = ['SIGKILL', 'exit 0', 'exit 1'];
/** What starves a process leaves it and the connection alone. */
const starving: readonly How[] = ['no descriptors', 'disk full'];

export const isDeadly = (how: How): boolean => deadly.includes(how);
export const isStarving = (how: How): boolean => starving.includes(how);

export const whys = {
  noConnection: 'there is no connection yet',
  onlyServer: 'the descriptors are with this process alone: its death is that of the only server',
  noLimits: 'prlimit(1), of util-linux, is not installed here',
} as const;

const hasPrlimit = spawnSync('prlimit', ['--version'], { stdio: 'ignore' }).status === 0;

function why(side: Side, state: State, how: How): string | undefined {
  if (state === 'boot' && (nonsense.includes(how) || how === 'EOF')) return whys.noConnection;
  if (isStarving(how) && !hasPrlimit) return whys.noLimits;
  const alone = side === 'old' ? state === 'hello' || state === 'fds' : state === 'drain';
  return alone && isDeadly(how) ? whys.onlyServer : undefined;
}

function winner(side: Side, state: State, how: How): Cell['wins'] {
  if (how === 'disk full') return side === 'old' && state === 'hello' ? 'old' : 'new';
  if (how === 'no descriptors') return 'either'; // some steps need one, and some do not
  return side === 'new' ? ofSuccessor(state, how) : ofHolder(state, how);
}

function ofSuccessor(state: State, how: How): Side | 'either' {
  if (isDeadly(how)) return 'old';
  if (how === 'EOF') {
    if (state === 'final' || state === 'drain') return 'new'; // it has read FINAL
    return state === 'hello' || state === 'offer' ? 'either' : 'old'; // it may ask once more
  }
  switch (state) {
    case 'boot': // it is continued, and has missed nothing
    case 'drain': // it owns everything already
    case 'final': // the decision was made, and only a death or a NAK can take it back
      return 'new';
    case 'hello': // who makes no sense may try again, and be in time
      return how === 'version' ? 'old' : 'either';
    default:
      return 'old';
  }
}

function ofHolder(state: State, how: How): Side | 'either' {
  if (isDeadly(how) || state === 'drain') return 'new';
  if (how === 'EOF') return state === 'hello' || state === 'fds' ? 'either' : 'old';
  // Before the old one has stopped accepting, a new one that hears nothing, or nonsense, does not go on.
  return state === 'probation' || state === 'probing' || state === 'final' ? 'new' : 'old';
}

/** The whole of it, by side, fault and state. */
export function matrix(): (Cell | NotApplicable)[] {
  return (['old', 'new'] as const).flatMap((side) =>
    faults.flatMap((how, row) =>
      states[side].map((state, column): Cell | NotApplicable => {
        const reason = why(side, state, how);
        if (reason !== undefined) return { side, state, how, why: reason };
        // A holder writes its state before it answers HELLO: then the disk has to be full before.
        const early = side === 'old' && state === 'hello' && how === 'disk full';
        const at = early ? {} : (frames[side][state] ?? {});
        const short = how === 'SIGKILL' || (row + column) % 7 === 0;
        return { side, state, how, at, short, wins: winner(side, state, how) };
      }),
    ),
  );
}

export function title({ side, state, how, wins }: Cell): string {
  const end = {
    old: 'the old one serves',
    new: 'the new one serves',
    either: 'one serves',
  };
  return `${how} of the ${side} process in state ${state}: ${end[wins]}, nobody is refused`;
}
