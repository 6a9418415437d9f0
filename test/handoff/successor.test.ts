// The successor's machine alone: no process, no socket, no clock.
import assert from 'node:assert/strict';
import test from 'node:test';
import { MAX_LISTENERS, type ManifestEntry } from '#fdpass/handoff/payloads';
import {
  SUCCESSOR_START,
  type SuccessorCommand,
  type SuccessorEvent,
  type SuccessorFacts,
  type SuccessorState,
  stepSuccessor,
} from '#fdpass/handoff/successor';
import { frameEvent, sampleFrames, TIMEOUTS } from '../helpers/machines';

const FACTS: SuccessorFacts = { uptimeMs: () => 42, timeouts: TIMEOUTS };
const LISTENERS: ManifestEntry[] = ['(control)', 'web'].map((name) => ({
  name,
  family: 'unix',
  type: 'stream',
  address: `@${name}`,
}));
const OFFER = { version: 1, pid: 9, generation: 2, listeners: LISTENERS };

function after(...events: SuccessorEvent[]) {
  let step = stepSuccessor(SUCCESSOR_START, { type: 'start' }, FACTS);
  for (const event of events) step = stepSuccessor(step.state, event, FACTS);
  return step;
}

const offer = frameEvent('OFFER', OFFER);
const fds = frameEvent('FDS', { names: ['(control)', 'web'] });
const ready: SuccessorEvent = { type: 'ready' };
const end: SuccessorEvent = { type: 'end' };
const accepting: SuccessorEvent = { type: 'accepting' };
const timeout: SuccessorEvent = { type: 'timeout' };
const commit = frameEvent('COMMIT');
const drain = frameEvent('DRAIN');
const nak = frameEvent('NAK', { reason: 'changed our mind' });
const garbage: SuccessorEvent = { type: 'garbage', reason: 'noise' };

const own: SuccessorCommand[] = [{ do: 'deadline', ms: undefined }, { do: 'own' }];
const open: SuccessorCommand[] = [{ do: 'deadline', ms: undefined }, { do: 'accept' }];

test('a successor says HELLO with its versions and age, and waits for the answer with a deadline', () => {
  assert.deepEqual(after().commands, [
    { do: 'send', type: 'HELLO', payload: { versions: [1, 1], uptimeMs: 42 } },
    { do: 'deadline', ms: TIMEOUTS.hello },
  ]);
});

test('the offer is wanted, the descriptors are acknowledged, and the program boots', () => {
  assert.deepEqual(after(offer).commands, [
    { do: 'offered', offer: OFFER },
    { do: 'send', type: 'WANT', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.fds },
  ]);
  assert.deepEqual(after(offer, fds), {
    state: { name: 'warm' },
    commands: [
      { do: 'send', type: 'ADOPTED', payload: { count: 2 } },
      { do: 'deadline', ms: undefined },
      { do: 'inherited' },
    ],
  });
});

test('descriptors that come in two packets are acknowledged one by one', () => {
  const first = after(offer, frameEvent('FDS', { names: ['(control)'] }));
  assert.deepEqual(first.commands, [
    { do: 'send', type: 'ADOPTED', payload: { count: 1 } },
    { do: 'deadline', ms: TIMEOUTS.fds },
  ]);
  const second = stepSuccessor(first.state, frameEvent('FDS', { names: ['web'] }), FACTS);
  assert.equal(second.state.name, 'warm');
});

test('ready() asks for the commit, COMMIT opens, ACCEPTING is said when it is true, DRAIN confirms', () => {
  assert.deepEqual(after(offer, fds, ready).commands, [
    { do: 'send', type: 'READY', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after(offer, fds, ready, commit).commands, open);
  assert.deepEqual(after(offer, fds, ready, commit, accepting).commands, [
    { do: 'send', type: 'ACCEPTING', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after(offer, fds, ready, commit, accepting, drain), {
    state: { name: 'primary', confirmed: true },
    commands: own,
  });
});

test('BYE of the drained holder ends the connection and nothing else', () => {
  const step = after(offer, fds, ready, commit, accepting, drain, frameEvent('BYE', { closed: 1 }));
  assert.deepEqual(step, { state: { name: 'ended' }, commands: [{ do: 'close' }] });
});

test('a holder that dies while the successor boots leaves it an orphan that goes on alone at ready()', () => {
  const orphan = after(offer, fds, end);
  assert.deepEqual(orphan, { state: { name: 'orphan' }, commands: [] });
  const opening = stepSuccessor(orphan.state, ready, FACTS);
  assert.deepEqual(opening.commands, open);
  assert.deepEqual(stepSuccessor(opening.state, accepting, FACTS).commands, own);
});

test('a holder that dies after READY is succeeded at once', () => {
  const step = after(offer, fds, ready, end);
  assert.deepEqual(step.commands, open);
  assert.deepEqual(stepSuccessor(step.state, accepting, FACTS).commands, own);
});

test('a holder that dies while the listeners open is succeeded when they are open, once', () => {
  const step = after(offer, fds, ready, commit, end);
  assert.deepEqual(step.commands, []);
  assert.deepEqual(stepSuccessor(step.state, accepting, FACTS).commands, own);
});

test('a holder that dies after ACCEPTING is succeeded', () => {
  assert.deepEqual(after(offer, fds, ready, commit, accepting, end).commands, own);
});

test('a holder that is silent after ACCEPTING is succeeded without its word', () => {
  assert.deepEqual(after(offer, fds, ready, commit, accepting, timeout), {
    state: { name: 'primary', confirmed: false },
    commands: own,
  });
});

test('a holder that comes back may confirm late, or take the service back', () => {
  const { state } = after(offer, fds, ready, commit, accepting, timeout);
  assert.deepEqual(stepSuccessor(state, drain, FACTS).state, { name: 'primary', confirmed: true });
  const back = stepSuccessor(state, nak, FACTS);
  assert.equal(back.state.name, 'ended');
  assertFailed(back.commands, 'ERR_HANDOFF_ABORTED', false);
});

test('once confirmed, nothing that the old holder says or does ends the service', () => {
  const { state } = after(offer, fds, ready, commit, accepting, drain);
  for (const event of [nak, end, garbage, timeout, frameEvent('COMMIT'), drain]) {
    const { commands } = stepSuccessor(state, event, FACTS);
    assert.equal(failureOf(commands), undefined, JSON.stringify(event));
  }
});

test('garbage of a holder that may have stopped already does not end the service', () => {
  for (const events of [[], [timeout]]) {
    const { state } = after(offer, fds, ready, commit, accepting, ...events);
    const step = stepSuccessor(state, garbage, FACTS);
    assert.equal(failureOf(step.commands), undefined, state.name);
    assert.equal(step.state.name, 'primary', state.name);
  }
});

test('BUSY gives pid, age and state of the upgrade that is first', () => {
  const busy = { pid: 7, ageMs: 1500, state: 'warm' };
  const failure = failureOf(after(frameEvent('BUSY', busy)).commands);
  assert.equal(failure?.code, 'ERR_HANDOFF_BUSY');
  assert.deepEqual(failure.busy, busy);
});

test('REFUSED is told with the range of the predecessor', () => {
  const refused = frameEvent('REFUSED', { versions: [4, 6], reason: 'no common version' });
  const failure = failureOf(after(refused).commands);
  assert.equal(failure?.code, 'ERR_HANDOFF_VERSION');
  assert.match(failure.reason, /4-6/);
});

test('a version that was not on offer is refused', () => {
  assertFailed(after(frameEvent('OFFER', { ...OFFER, version: 2 })).commands, 'ERR_HANDOFF_PROTOCOL', true);
});

test('an offer of more listeners than a process may have is refused', () => {
  const many = Array.from({ length: MAX_LISTENERS + 2 }, (_, i) => ({ ...LISTENERS[0], name: `l${i}` }));
  const step = after(frameEvent('OFFER', { ...OFFER, listeners: many }));
  assertFailed(step.commands, 'ERR_HANDOFF_PROTOCOL', true);
});

test('a holder that goes away before it gave anything is told apart from a refusal', () => {
  for (const events of [[end], [offer, end]]) {
    assertFailed(after(...events).commands, 'ERR_HANDOFF_HOLDER_GONE', false);
  }
});

const paths: [string, SuccessorEvent[]][] = [
  ['hello', []],
  ['fds', [offer]],
  ['warm', [offer, fds]],
  ['orphan', [offer, fds, end]],
  ['ready', [offer, fds, ready]],
  ['opening', [offer, fds, ready, commit]],
  ['opening alone', [offer, fds, ready, end]],
  ['accepting', [offer, fds, ready, commit, accepting]],
  ['primary unconfirmed', [offer, fds, ready, commit, accepting, timeout]],
  ['primary', [offer, fds, ready, commit, accepting, drain]],
  ['ended', [nak]],
];
const states = paths.map(([name, events]): [string, SuccessorState] => [name, after(...events).state]);

const events: [string, SuccessorEvent][] = [
  ...[{ type: 'start' } as const, ready, accepting, garbage, end, timeout].map(
    (event): [string, SuccessorEvent] => [event.type, event],
  ),
  ['giveUp', { type: 'giveUp', reason: 'cannot' }],
  ...sampleFrames(),
];

for (const [name, state] of states) {
  test(`in state ${name} every event is answered without a throw, and a failure ends it cleanly`, () => {
    for (const [label, event] of events) {
      const step = stepSuccessor(state, event, FACTS);
      const id = `${name}+${label}`;
      if (name === 'ended') assert.deepEqual(step, { state, commands: [] }, id);
      const failure = failureOf(step.commands);
      if (failure === undefined) continue;
      assert.equal(step.state.name, 'ended', id);
      const mute = event.type === 'end' || label === 'NAK' || /^hello\+(BUSY|REFUSED)$/.test(id);
      assertFailed(step.commands, failure.code, !mute, id);
    }
  });
}

test('every state that waits for the holder has a deadline, and the others have none', () => {
  const waiting = new Set(['hello', 'fds', 'ready', 'accepting']);
  for (const [name, given] of paths) {
    if (name === 'ended') continue;
    // The deadline that runs: the last one that any step set.
    let running: number | undefined;
    let state = SUCCESSOR_START;
    for (const event of [{ type: 'start' } as const, ...given]) {
      const step = stepSuccessor(state, event, FACTS);
      state = step.state;
      for (const command of step.commands) if (command.do === 'deadline') running = command.ms;
    }
    assert.equal(running !== undefined, waiting.has(name), name);
  }
});

test('the listeners are opened in no other way than by COMMIT or the death of the holder', () => {
  const allowed = new Set(['ready+COMMIT', 'ready+COMMIT {}', 'ready+end', 'orphan+ready']);
  for (const [name, state] of states) {
    for (const [label, event] of events) {
      const opens = stepSuccessor(state, event, FACTS).commands.some((command) => command.do === 'accept');
      assert.equal(opens, allowed.has(`${name}+${label}`), `${name}+${label}`);
    }
  }
});

function failureOf(commands: SuccessorCommand[]) {
  return commands.find((command) => command.do === 'fail');
}

/** A last word unless nobody hears it, deadline off, fail, close. */
function assertFailed(commands: SuccessorCommand[], code: string, speaks: boolean, id = ''): void {
  const ending = ['deadline', 'fail', 'close'];
  assert.deepEqual(
    commands.map((command) => command.do),
    speaks ? ['send', ...ending] : ending,
    id,
  );
  assert.deepEqual(commands.at(-3), { do: 'deadline', ms: undefined }, id);
  assert.equal(failureOf(commands)?.code, code, id);
}
