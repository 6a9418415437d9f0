// The holder's machine alone: no process, no socket, no clock.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { FrameType } from '#fdpass/handoff/frame';
import {
  HOLDER_START,
  type HolderCommand,
  type HolderEvent,
  type HolderFacts,
  type HolderState,
  REPORT_MS,
  stepHolder,
} from '#fdpass/handoff/holder';
import { type Busy, MAX_FDS_PER_FRAME, type ManifestEntry } from '#fdpass/handoff/payloads';
import { frameEvent, sampleFrames, TIMEOUTS, TXN } from '../helpers/machines';

const LISTENERS: ManifestEntry[] = [entry('(control)'), entry('web')];

function entry(name: string): ManifestEntry {
  return { name, family: 'unix', type: 'seqpacket', address: `@${name}` };
}

function facts(over: { listeners?: ManifestEntry[]; busy?: Busy; inStateMs?: number } = {}): HolderFacts {
  return {
    pid: 100,
    generation: 3,
    timeouts: TIMEOUTS,
    listeners: () => over.listeners ?? LISTENERS,
    busy: () => over.busy,
    receipt: () => ({ so: 'far' }),
    generations: () => GENERATIONS,
    inStateMs: () => over.inStateMs ?? 0,
  };
}

const hello = { versions: [1, 2], uptimeMs: 40, stateOptional: false };
const WANTED = { probationMs: 50, intervalMs: 20 };
const INHERITED = { inherited: ['web'], bound: ['more'], rssBytes: 9 };
const RECEIPT = { receipt: { so: 'far' } };
const GENERATIONS = [{ generation: 3, pid: 100, state: 'standby', connections: 4 }];
const report: HolderCommand[] = [
  { do: 'send', type: 'REPORT', payload: { generations: GENERATIONS } },
  { do: 'deadline', ms: REPORT_MS },
];

/** Steps through frames from the start, and gives the last step. */
function after(frames: [FrameType, Record<string, unknown>][], given = facts()) {
  let step = stepHolder(HOLDER_START, { type: 'start' }, given);
  for (const [type, payload] of frames) step = stepHolder(step.state, frameEvent(type, payload), given);
  return step;
}

const toOffer: [FrameType, Record<string, unknown>][] = [['HELLO', hello]];
const toFds: typeof toOffer = [...toOffer, ['WANT', {}]];
const toWarm: typeof toOffer = [...toFds, ['ADOPTED', { count: LISTENERS.length }]];
const toPing: typeof toOffer = [...toWarm, ['READY', WANTED]];
const toCommit: typeof toOffer = [...toPing, ['PONG', {}]];
const toProbation: typeof toOffer = [...toCommit, ['ACCEPTING', INHERITED]];
const withoutProbation: typeof toOffer = [
  ...toWarm,
  ['READY', { ...WANTED, probationMs: 0 }],
  ['PONG', {}],
  ['ACCEPTING', INHERITED],
];
const toDraining: typeof toOffer = [...withoutProbation, ['DRAIN', { accepted: 7 }]];

/** The same with a successor of version 1. */
const toCommit1: typeof toOffer = [
  ['HELLO', { versions: [1, 1], uptimeMs: 40 }],
  ['WANT', {}],
  ['ADOPTED', { count: LISTENERS.length }],
  ['READY', {}],
];

test('a holder waits for HELLO, with a deadline', () => {
  const step = after([]);
  assert.deepEqual(step, { state: { name: 'hello' }, commands: [{ do: 'deadline', ms: TIMEOUTS.hello }] });
});

test('HELLO gets the lease and the offer', () => {
  assert.deepEqual(after(toOffer).commands, [
    { do: 'lease', txn: TXN, hello },
    { do: 'send', type: 'OFFER', payload: { version: 2, pid: 100, generation: 3, listeners: LISTENERS } },
    { do: 'deadline', ms: TIMEOUTS.fds },
  ]);
});

test('WANT gets the descriptors, ADOPTED starts the time to boot', () => {
  const names = ['(control)', 'web'];
  assert.deepEqual(after(toFds).commands, [
    { do: 'send', type: 'FDS', payload: { names }, fds: names },
    { do: 'deadline', ms: TIMEOUTS.fds },
  ]);
  assert.deepEqual(after(toWarm), {
    state: { name: 'warm', version: 2 },
    commands: [{ do: 'deadline', ms: TIMEOUTS.warm }],
  });
});

test('READY gets PING, PONG gets COMMIT, and the holder accepts on until ACCEPTING', () => {
  assert.deepEqual(after(toPing).commands, [
    { do: 'ready' },
    { do: 'send', type: 'PING', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.ping },
  ]);
  assert.deepEqual(after(toCommit).commands, [
    { do: 'send', type: 'COMMIT', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after(toProbation).commands, [
    { do: 'pause', accepting: INHERITED },
    { do: 'send', type: 'PROBATION', payload: { ms: 50, generations: GENERATIONS, ...RECEIPT } },
    { do: 'deadline', ms: 20 },
  ]);
});

const timeout: HolderEvent = { type: 'timeout' };
const pong = frameEvent('PONG');

test('a probation lasts as long as was asked for, has a PING in every interval, and ends with an answer', () => {
  let step = after(toProbation);
  const waits = [lastDeadline(step.commands)];
  const answers = [25, 47, 61]; // a check may take as long as it likes: that time counts, too
  while (step.state.name === 'probation') {
    step = stepHolder(step.state, timeout, facts());
    assert.deepEqual(step.commands, [
      { do: 'send', type: 'PING', payload: { generations: GENERATIONS } },
      { do: 'deadline', ms: TIMEOUTS.ping },
    ]);
    step = stepHolder(step.state, pong, facts({ inStateMs: answers.shift() as number }));
    if (step.state.name === 'probation') waits.push(lastDeadline(step.commands));
  }
  assert.deepEqual(waits, [20, 20, 3], 'milliseconds from an answer to the next question');
  assert.deepEqual(step, {
    state: { name: 'final' },
    commands: [
      { do: 'send', type: 'FINAL', payload: RECEIPT },
      { do: 'deadline', ms: TIMEOUTS.commit },
    ],
  });
});

test('without a probation FINAL follows at once, and DRAIN makes the holder drain', () => {
  assert.deepEqual(after(withoutProbation).commands, [
    { do: 'pause', accepting: INHERITED },
    { do: 'send', type: 'FINAL', payload: RECEIPT },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after(toDraining).commands, [{ do: 'supersede', accepted: 7 }, ...report]);
});

test('a successor of version 1 is neither pinged nor put on probation', () => {
  assert.deepEqual(after(toCommit1).commands, [
    { do: 'ready' },
    { do: 'send', type: 'COMMIT', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after([...toCommit1, ['ACCEPTING', {}]]), {
    state: { name: 'draining', version: 1 },
    commands: [
      { do: 'pause', accepting: { inherited: undefined, bound: [], rssBytes: undefined } },
      { do: 'send', type: 'DRAIN', payload: {} },
      { do: 'supersede', accepted: undefined },
      { do: 'deadline', ms: undefined },
    ],
  });
});

const probation = after(toProbation).state;
const probing = stepHolder(probation, timeout, facts()).state;
const final = after(withoutProbation).state;
const severed = stepHolder(final, { type: 'end', heard: true }, facts()).state;
const nakEvent = frameEvent('NAK', { reason: 'too many errors' });

const relapses: [what: string, state: HolderState, event: HolderEvent, code: string, reason: RegExp][] = [
  ['dies', probation, { type: 'end', heard: true }, 'ERR_HANDOFF_ABORTED', /died/],
  ['gives up', probation, nakEvent, 'ERR_HANDOFF_ABORTED', /too many errors/],
  ['gives up without a reason', probation, frameEvent('NAK'), 'ERR_HANDOFF_ABORTED', /no reason/],
  ['does not answer', probing, timeout, 'ERR_HANDOFF_TIMEOUT', /does not answer/],
  ['talks garbage', probation, { type: 'garbage', reason: 'noise' }, 'ERR_HANDOFF_PROTOCOL', /noise/],
  ['answers before it is asked', probation, pong, 'ERR_HANDOFF_PROTOCOL', /PONG/],
  ['says what does not belong here', probing, frameEvent('READY'), 'ERR_HANDOFF_PROTOCOL', /READY/],
  ['is called off', probing, { type: 'abort', reason: 'changed our mind' }, 'ERR_HANDOFF_ABORTED', /mind/],
  ['dies before it owns anything', severed, { type: 'dead' }, 'ERR_HANDOFF_ABORTED', /died/],
  ['cannot have read FINAL', final, { type: 'end', heard: false }, 'ERR_HANDOFF_ABORTED', /before FINAL/],
  ['gives up before it owns anything', final, nakEvent, 'ERR_HANDOFF_ABORTED', /too many errors/],
];
for (const [what, state, event, code, reason] of relapses) {
  test(`a successor that ${what} makes the holder accept first, and then say so`, () => {
    const { state: next, commands } = stepHolder(state, event, facts());
    assert.equal(next.name, 'ended');
    assert.deepEqual(
      commands.map((command) => command.do),
      ['resume', 'deadline', 'send', 'fail', 'close'],
    );
    const failure = failureOf(commands);
    assert.deepEqual([failure?.code, failure?.rolledBack], [code, true]);
    assert.match(failure?.reason ?? '', reason);
  });
}

test('once FINAL is sent, silence, garbage and an abort do not bring the holder back: the successor may own it all', () => {
  for (const event of [timeout, { type: 'garbage', reason: 'noise' } as const, frameEvent('READY')]) {
    assert.deepEqual(stepHolder(final, event, facts()).state, { name: 'draining', version: 2 }, event.type);
  }
  for (const event of [{ type: 'abort', reason: 'no' } as const, { type: 'settle' } as const, pong]) {
    assert.deepEqual(stepHolder(final, event, facts()), { state: final, commands: [] }, event.type);
  }
});

test('a successor that needs longer to boot gets what it asks for, and its upgrade() hears of it', () => {
  const { state } = after(toWarm);
  assert.deepEqual(stepHolder(state, frameEvent('EXTEND', { ms: 300 }), facts()), {
    state,
    commands: [
      { do: 'deadline', ms: 300 },
      { do: 'extend', ms: 300 },
    ],
  });
});

test('when the connection is over behind FINAL the holder looks whether the successor lives, and believes that it serves', () => {
  const end = stepHolder(final, { type: 'end', heard: true }, facts());
  assert.deepEqual(end, {
    state: { name: 'severed' },
    commands: [{ do: 'deadline', ms: undefined }, { do: 'seek' }],
  });
  const step = stepHolder(end.state, { type: 'alive' }, facts());
  assert.deepEqual(step, {
    state: { name: 'draining', version: 2 },
    commands: [{ do: 'supersede', accepted: undefined }, ...report],
  });
});

test('a holder that leaves ends the probation early, also with a PING unanswered', () => {
  for (const state of [probation, probing]) {
    const step = stepHolder(state, { type: 'settle' }, facts());
    assert.equal(step.state.name, 'final');
    assert.deepEqual(stepHolder(step.state, pong, facts()).commands, []);
  }
});

test('a successor that took everything over while the holder was stopped is believed', () => {
  for (const state of [probation, probing]) {
    const step = stepHolder(state, frameEvent('DRAIN'), facts());
    assert.deepEqual(step.state, { name: 'draining', version: 2 });
    assert.deepEqual(step.commands, [{ do: 'supersede', accepted: undefined }, ...report]);
  }
});

test('a draining holder tells how it is, again and again; a successor of version 1 would not understand it', () => {
  const { state } = after(toDraining);
  assert.deepEqual(stepHolder(state, timeout, facts()), { state, commands: report });
  const old = after([...toCommit1, ['ACCEPTING', {}]]).state;
  assert.deepEqual(stepHolder(old, timeout, facts()).commands, [{ do: 'deadline', ms: undefined }]);
});

test('a draining holder is told how many drain behind it', () => {
  const { state } = after(toDraining);
  const hurry = stepHolder(state, frameEvent('HURRY', { behind: 2 }), facts());
  assert.deepEqual(hurry, { state, commands: [{ do: 'hurry', behind: 2 }] });
});

test('the end of the drain is told with its counts, and ends the transaction', () => {
  const { state } = after(toDraining);
  assert.deepEqual(stepHolder(state, { type: 'drained', bye: { closed: 4, forced: 1, ms: 30 } }, facts()), {
    state: { name: 'ended' },
    commands: [
      { do: 'deadline', ms: undefined },
      { do: 'send', type: 'BYE', payload: { closed: 4, forced: 1, ms: 30 } },
      { do: 'close' },
    ],
  });
});

test('more listeners than fit into a packet go in several, each acknowledged', () => {
  const listeners = Array.from({ length: 2 * MAX_FDS_PER_FRAME + 5 }, (_, i) => entry(`l${i}`));
  const given = facts({ listeners });
  const sizes: number[] = [];
  let step = after(toFds, given);
  while (step.state.name === 'fds') {
    const [sent] = step.commands;
    assert.ok(sent?.do === 'send' && sent.fds !== undefined);
    sizes.push(sent.fds.length);
    step = stepHolder(step.state, frameEvent('ADOPTED', { count: step.state.sent }), given);
  }
  assert.equal(step.state.name, 'warm');
  assert.deepEqual(sizes, [MAX_FDS_PER_FRAME, MAX_FDS_PER_FRAME, 5]);
});

test('an acknowledgement of the wrong number of descriptors ends the transaction', () => {
  const step = after([...toFds, ['ADOPTED', { count: 1 }]]);
  assertFailed(step.commands, 'ERR_HANDOFF_PROTOCOL');
});

for (const versions of [
  [3, 4],
  [0, 0],
  [1, 0],
]) {
  test(`a successor that speaks ${versions.join('-')} is refused with our range`, () => {
    const { state, commands } = after([['HELLO', { versions, uptimeMs: 1 }]]);
    assert.equal(state.name, 'ended');
    const refusal = commands.find((command) => command.do === 'send');
    assert.equal(refusal?.type, 'REFUSED');
    assert.deepEqual(refusal.payload['versions'], [1, 2]);
    assert.equal(failureOf(commands)?.code, 'ERR_HANDOFF_VERSION');
    assert.ok(!commands.some((command) => command.do === 'lease'));
  });
}

for (const [versions, common] of [
  [[1, 9], 2],
  [[2, 2], 2],
  [[1, 1], 1],
  [[0, 1], 1],
] as const) {
  test(`a successor that speaks ${versions.join('-')} is offered version ${common}`, () => {
    const { commands } = after([['HELLO', { versions, uptimeMs: 1 }]]);
    const offer = commands.find((command) => command.do === 'send');
    assert.equal(offer?.payload['version'], common);
  });
}

test('a holder that cannot say what it has to give keeps the service, and says why', () => {
  const given = facts();
  given.listeners = () => {
    throw new Error('the state cannot be provided');
  };
  const { state, commands } = after(toOffer, given);
  assert.equal(state.name, 'ended');
  assert.equal(commands[0]?.do, 'lease', 'it is this upgrade that has failed');
  assertFailed(commands.slice(1), 'ERR_HANDOFF_BAD_STATE');
});

test('a second successor is told who is first, in which state and for how long', () => {
  const busy = { pid: 55, ageMs: 1234, state: 'warm' };
  const { state, commands } = after(toOffer, facts({ busy }));
  assert.equal(state.name, 'ended');
  assert.deepEqual(
    commands.find((command) => command.do === 'send'),
    { do: 'send', type: 'BUSY', payload: busy },
  );
  assert.ok(!commands.some((command) => command.do === 'lease'));
});

const states: Record<HolderState['name'], HolderState> = {
  hello: HOLDER_START,
  offer: after(toOffer).state,
  fds: after(toFds).state,
  warm: after(toWarm).state,
  ping: after(toPing).state,
  commit: after(toCommit).state,
  probation,
  final,
  severed,
  draining: after(toDraining).state,
  ended: { name: 'ended' },
};

const others: HolderEvent[] = [
  { type: 'start' },
  { type: 'garbage', reason: 'noise' },
  { type: 'end', heard: true },
  { type: 'dead' },
  { type: 'alive' },
  { type: 'timeout' },
  { type: 'abort', reason: 'changed our mind' },
  { type: 'settle' },
  { type: 'drained', bye: { closed: 1, forced: 0, ms: 2 } },
];
const events: [string, HolderEvent][] = [
  ...others.map((event): [string, HolderEvent] => [event.type, event]),
  ...sampleFrames().map(([name, event]): [string, HolderEvent] => [name, event]),
];

/** What moves a holder on instead of ending the transaction. */
const progress = new Set([
  'hello+start',
  'offer+start',
  'fds+start',
  'warm+start',
  'ping+start',
  'commit+start',
  ...['hello', 'offer', 'fds', 'warm', 'ping', 'commit'].flatMap((state) => [
    `${state}+drained`,
    `${state}+settle`,
    `${state}+dead`,
    `${state}+alive`,
  ]),
  'hello+HELLO',
  'offer+WANT',
  'offer+WANT {}',
  'fds+ADOPTED',
  'warm+EXTEND',
  'warm+READY',
  'ping+PONG',
  'ping+PONG {}',
  'commit+ACCEPTING',
]);

for (const [name, state] of Object.entries(states)) {
  test(`in state ${name} every event is answered without a throw, and a failure ends it cleanly`, () => {
    for (const [label, event] of events) {
      const step = stepHolder(state, event, facts());
      const id = `${name}+${label}`;
      const pauses = step.commands.some((command) => command.do === 'pause');
      assert.equal(pauses, id === 'commit+ACCEPTING', `${id}: only ACCEPTING stops the holder`);
      const failure = failureOf(step.commands);
      const resumes = step.commands[0]?.do === 'resume';
      assert.equal(failure?.rolledBack ?? false, resumes, `${id}: who resumes says so`);
      if (name === 'ended') {
        assert.deepEqual(step, { state, commands: [] }, id);
      } else if (name === 'draining') {
        assert.equal(failure, undefined, `${id}: a drain cannot fail`);
      } else if (name === 'probation' || name === 'final' || name === 'severed') {
        assert.equal(
          step.state.name === 'ended',
          resumes,
          `${id}: it ends by accepting again, or not at all`,
        );
      } else if (progress.has(id)) {
        assert.equal(failureOf(step.commands), undefined, id);
      } else {
        assert.equal(step.state.name, 'ended', id);
        assertFailed(step.commands, undefined, event.type !== 'end' && !label.startsWith('NAK'), id);
      }
    }
  });
}

test('every state that waits for the successor has a deadline', () => {
  for (const frames of [[], toOffer, toFds, toWarm, toPing, toCommit, toProbation, withoutProbation]) {
    assert.ok(lastDeadline(after(frames).commands) !== undefined, JSON.stringify(frames.at(-1)));
  }
});

function lastDeadline(commands: HolderCommand[]): number | undefined {
  return commands.findLast((command) => command.do === 'deadline')?.ms;
}

function failureOf(commands: HolderCommand[]) {
  return commands.find((command) => command.do === 'fail');
}

/** deadline off, a last word unless nobody hears it, fail, close. */
function assertFailed(commands: HolderCommand[], code?: string, speaks = true, id = ''): void {
  assert.deepEqual(commands[0], { do: 'deadline', ms: undefined }, id);
  assert.deepEqual(
    commands.map((command) => command.do),
    speaks ? ['deadline', 'send', 'fail', 'close'] : ['deadline', 'fail', 'close'],
    id,
  );
  if (speaks) assert.match((commands[1] as { type: string }).type, /^NAK$/, id);
  if (code !== undefined) assert.equal(failureOf(commands)?.code, code, id);
}
