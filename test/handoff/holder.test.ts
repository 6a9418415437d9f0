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
  stepHolder,
} from '#fdpass/handoff/holder';
import { type Busy, MAX_FDS_PER_FRAME, type ManifestEntry } from '#fdpass/handoff/payloads';
import { frameEvent, sampleFrames, TIMEOUTS, TXN } from '../helpers/machines';

const LISTENERS: ManifestEntry[] = [entry('(control)'), entry('web')];

function entry(name: string): ManifestEntry {
  return { name, family: 'unix', type: 'seqpacket', address: `@${name}` };
}

function facts(over: { listeners?: ManifestEntry[]; busy?: Busy } = {}): HolderFacts {
  return {
    pid: 100,
    generation: 3,
    timeouts: TIMEOUTS,
    listeners: () => over.listeners ?? LISTENERS,
    busy: () => over.busy,
  };
}

const hello = { versions: [1, 1], uptimeMs: 40 };

/** Steps through frames from the start, and gives the last step. */
function after(frames: [FrameType, Record<string, unknown>][], given = facts()) {
  let step = stepHolder(HOLDER_START, { type: 'start' }, given);
  for (const [type, payload] of frames) step = stepHolder(step.state, frameEvent(type, payload), given);
  return step;
}

const toOffer: [FrameType, Record<string, unknown>][] = [['HELLO', hello]];
const toFds: typeof toOffer = [...toOffer, ['WANT', {}]];
const toWarm: typeof toOffer = [...toFds, ['ADOPTED', { count: LISTENERS.length }]];
const toCommit: typeof toOffer = [...toWarm, ['READY', {}]];
const toDraining: typeof toOffer = [...toCommit, ['ACCEPTING', {}]];

test('a holder waits for HELLO, with a deadline', () => {
  const step = after([]);
  assert.deepEqual(step, { state: { name: 'hello' }, commands: [{ do: 'deadline', ms: TIMEOUTS.hello }] });
});

test('HELLO gets the lease and the offer', () => {
  assert.deepEqual(after(toOffer).commands, [
    { do: 'lease', txn: TXN, hello },
    { do: 'send', type: 'OFFER', payload: { version: 1, pid: 100, generation: 3, listeners: LISTENERS } },
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
    state: { name: 'warm' },
    commands: [{ do: 'deadline', ms: TIMEOUTS.warm }],
  });
});

test('READY gets COMMIT while the holder accepts on; only ACCEPTING makes it stop', () => {
  assert.deepEqual(after(toCommit).commands, [
    { do: 'ready' },
    { do: 'send', type: 'COMMIT', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after(toDraining).commands, [
    { do: 'deadline', ms: undefined },
    { do: 'stopAccepting' },
    { do: 'send', type: 'DRAIN', payload: {} },
    { do: 'supersede' },
  ]);
});

test('the end of the drain is told with its counts, and ends the transaction', () => {
  const { state } = after(toDraining);
  assert.deepEqual(stepHolder(state, { type: 'drained', closed: 4, forced: 1 }, facts()), {
    state: { name: 'ended' },
    commands: [{ do: 'send', type: 'BYE', payload: { closed: 4, forced: 1 } }, { do: 'close' }],
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
  [2, 3],
  [0, 0],
  [1, 0],
]) {
  test(`a successor that speaks ${versions.join('-')} is refused with our range`, () => {
    const { state, commands } = after([['HELLO', { versions, uptimeMs: 1 }]]);
    assert.equal(state.name, 'ended');
    const refusal = commands.find((command) => command.do === 'send');
    assert.equal(refusal?.type, 'REFUSED');
    assert.deepEqual(refusal.payload['versions'], [1, 1]);
    assert.equal(failureOf(commands)?.code, 'ERR_HANDOFF_VERSION');
    assert.ok(!commands.some((command) => command.do === 'lease'));
  });
}

test('a successor that speaks newer versions too is offered the common one', () => {
  const { commands } = after([['HELLO', { versions: [1, 9], uptimeMs: 1 }]]);
  const offer = commands.find((command) => command.do === 'send');
  assert.equal(offer?.payload['version'], 1);
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
  commit: after(toCommit).state,
  draining: after(toDraining).state,
  ended: { name: 'ended' },
};

const others: HolderEvent[] = [
  { type: 'start' },
  { type: 'garbage', reason: 'noise' },
  { type: 'end' },
  { type: 'timeout' },
  { type: 'abort', reason: 'changed our mind' },
  { type: 'drained', closed: 1, forced: 0 },
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
  'commit+start',
  ...['hello', 'offer', 'fds', 'warm', 'commit'].map((state) => `${state}+drained`),
  'hello+HELLO',
  'offer+WANT',
  'offer+WANT {}',
  'fds+ADOPTED',
  'warm+READY',
  'warm+READY {}',
  'commit+ACCEPTING',
  'commit+ACCEPTING {}',
]);

for (const [name, state] of Object.entries(states)) {
  test(`in state ${name} every event is answered without a throw, and a failure ends it cleanly`, () => {
    for (const [label, event] of events) {
      const step = stepHolder(state, event, facts());
      const id = `${name}+${label}`;
      const stops = step.commands.some((command) => command.do === 'stopAccepting');
      assert.equal(stops, id.startsWith('commit+ACCEPTING'), `${id}: only ACCEPTING stops the holder`);
      if (name === 'ended') {
        assert.deepEqual(step, { state, commands: [] }, id);
      } else if (name === 'draining') {
        assert.equal(failureOf(step.commands), undefined, `${id}: a drain cannot fail`);
      } else if (progress.has(id)) {
        assert.equal(failureOf(step.commands), undefined, id);
      } else {
        assert.equal(step.state.name, 'ended', id);
        assertFailed(step.commands, undefined, event.type !== 'end' && label !== 'NAK', id);
      }
    }
  });
}

test('every state that waits for the successor has a deadline', () => {
  for (const frames of [[], toOffer, toFds, toWarm, toCommit]) {
    const deadline = after(frames).commands.findLast((command) => command.do === 'deadline');
    assert.ok(deadline?.ms !== undefined, JSON.stringify(frames.at(-1)));
  }
});

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
