// What the tests of the two pure machines share: deadlines, and a sample of every frame, whole and mutilated.
import type { Frame, FrameType } from '#fdpass/handoff/frame';
import type { HandoffTimeouts } from '#fdpass/handoff/timeouts';

export const TXN = '0123456789abcdef0123456789abcdef';

/** All different, so that a test sees which one was set. */
export const TIMEOUTS: HandoffTimeouts = {
  hello: 11,
  fds: 12,
  warm: 13,
  commit: 14,
  drain: 15,
  exit: 16,
  ping: 17,
  hurry: 18,
};

export function frameEvent(
  type: FrameType,
  payload: Record<string, unknown> = {},
): { type: 'frame'; frame: Frame } {
  return { type: 'frame', frame: { type, txn: TXN, sequence: 0, payload } };
}

const listener = { name: 'web', family: 'unix', type: 'stream', address: '@web' };

/** One that fits, for each type. */
const GOOD: Record<FrameType, Record<string, unknown>> = {
  HELLO: { versions: [1, 2], uptimeMs: 5 },
  REFUSED: { versions: [7, 9], reason: 'no common version' },
  BUSY: { pid: 9, ageMs: 10, state: 'warm' },
  OFFER: { version: 2, pid: 9, generation: 2, listeners: [listener] },
  WANT: {},
  FDS: { names: ['web'] },
  ADOPTED: { count: 2 },
  READY: { probationMs: 50, intervalMs: 20 },
  COMMIT: {},
  ACCEPTING: { inherited: ['web'] },
  DRAIN: {},
  COMMAND: { command: 'status' },
  PROGRESS: { pid: 9, ageMs: 10, state: 'warm' },
  RESULT: { outcome: 'nothing', reason: 'no upgrade is under way' },
  BYE: { closed: 1, forced: 2 },
  NAK: { reason: 'no' },
  PING: {},
  PONG: {},
  PROBATION: { ms: 50 },
  FINAL: { receipt: {} },
  HURRY: { behind: 2 },
  EXTEND: { ms: 300 },
  REPORT: { generations: [{ generation: 1, pid: 8, state: 'draining', connections: 3 }] },
};

const BAD: [FrameType, Record<string, unknown>][] = [
  ['HELLO', { versions: 'all', uptimeMs: 5 }],
  ['HELLO', { versions: [1, 1] }],
  ['OFFER', { version: 1, pid: 9, generation: 2, listeners: [null] }],
  ['OFFER', { version: 1, pid: 9, generation: 2, listeners: [{ name: 1 }] }],
  ['OFFER', { version: 9, pid: 9, generation: 2, listeners: [listener] }],
  ['FDS', { names: [1] }],
  ['FDS', { names: [] }],
  ['FDS', { names: ['other'] }],
  ['ADOPTED', { count: 'two' }],
  ['ADOPTED', { count: 77 }],
  ['READY', { probationMs: -1, intervalMs: 20 }],
  ['READY', { probationMs: 50, intervalMs: 0 }],
  ['READY', { probationMs: 1e12, intervalMs: 20 }],
  ['ACCEPTING', { inherited: 'all' }],
  ['HURRY', { behind: 'many' }],
  ['EXTEND', { ms: 0 }],
  ['REPORT', { generations: [null, 7, { pid: 'x' }] }],
  ['EXTEND', { ms: 'long' }],
  ['BUSY', { pid: '9', ageMs: null, state: 3 }],
];

/** Labelled by type; what has an empty or a false payload says so in the label. */
export function sampleFrames(): [label: string, event: { type: 'frame'; frame: Frame }][] {
  const types = Object.keys(GOOD) as FrameType[];
  return [
    ...types.map((type): [string, ReturnType<typeof frameEvent>] => [type, frameEvent(type, GOOD[type])]),
    ...types.map((type): [string, ReturnType<typeof frameEvent>] => [`${type} {}`, frameEvent(type)]),
    ...BAD.map(([type, payload]): [string, ReturnType<typeof frameEvent>] => [
      `${type} ${JSON.stringify(payload)}`,
      frameEvent(type, payload),
    ]),
  ];
}
