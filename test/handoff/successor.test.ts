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

const FIGURES = { ageMs: 42, connections: 3, rssBytes: 9 };
const FACTS: SuccessorFacts = {
  uptimeMs: () => 42,
  timeouts: TIMEOUTS,
  probation: { ms: 50, intervalMs: 20 },
  accepted: () => 7,
  stateOptional: true,
  figures: () => FIGURES,
};
/** For the next sign of life of a holder that stands by. */
const PATIENCE = 20 + TIMEOUTS.ping + TIMEOUTS.commit;
const LISTENERS: ManifestEntry[] = ['(control)', 'web'].map((name) => ({
  name,
  family: 'unix',
  type: 'stream',
  address: `@${name}`,
  kind: 'socket',
  listening: true,
}));
const OFFER = { version: 2, pid: 9, generation: 2, listeners: LISTENERS };

function after(...events: SuccessorEvent[]) {
  let step = stepSuccessor(SUCCESSOR_START, { type: 'start' }, FACTS);
  for (const event of events) step = stepSuccessor(step.state, event, FACTS);
  return step;
}

const offer = frameEvent('OFFER', OFFER);
const fds = frameEvent('FDS', { names: ['(control)', 'web'] });
const ready: SuccessorEvent = { type: 'ready' };
const end: SuccessorEvent = { type: 'end' };
const dead: SuccessorEvent = { type: 'dead' };
const alive: SuccessorEvent = { type: 'alive' };
const ACCEPTING = { inherited: ['web'], bound: ['more'], rssBytes: 9 };
const accepting: SuccessorEvent = { type: 'accepting', accepting: ACCEPTING };
const healthy: SuccessorEvent = { type: 'healthy' };
const giveUp: SuccessorEvent = { type: 'giveUp', reason: 'cannot' };
const timeout: SuccessorEvent = { type: 'timeout' };
const commit = frameEvent('COMMIT');
const drain = frameEvent('DRAIN');
const ping = frameEvent('PING');
const GENERATIONS = [{ generation: 2, pid: 9, state: 'standby', connections: 4 }];
const heard: SuccessorCommand = { do: 'heard', generations: GENERATIONS };
const probation = frameEvent('PROBATION', {
  ms: 50,
  generations: GENERATIONS,
  receipt: { so: 'far' },
});
const final = frameEvent('FINAL', { receipt: { so: 'far' } });
const bye = frameEvent('BYE', { closed: 1, forced: 0, ms: 5 });
const nak = frameEvent('NAK', { reason: 'changed our mind' });
const garbage: SuccessorEvent = { type: 'garbage', reason: 'noise' };

const own: SuccessorCommand[] = [
  { do: 'deadline', ms: undefined },
  { do: 'own', receipt: undefined },
];
const ownWithReceipt: SuccessorCommand[] = [
  { do: 'deadline', ms: undefined },
  { do: 'own', receipt: { so: 'far' } },
];
const sayDrain: SuccessorCommand = { do: 'send', type: 'DRAIN', payload: { accepted: 7 } };
const ownAlone: SuccessorCommand[] = [...own, { do: 'gone', bye: undefined }, { do: 'close' }];
/** With the receipt that PROBATION brought. */
const ownAloneWithReceipt: SuccessorCommand[] = [
  ...ownWithReceipt,
  { do: 'gone', bye: undefined },
  { do: 'close' },
];
const open: SuccessorCommand[] = [{ do: 'deadline', ms: undefined }, { do: 'accept' }];

test('a successor says HELLO with its versions and age, and waits for the answer with a deadline', () => {
  assert.deepEqual(after().commands, [
    { do: 'send', type: 'HELLO', payload: { versions: [1, 2], uptimeMs: 42, stateOptional: true } },
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
    state: { name: 'warm', version: 2 },
    commands: [
      { do: 'send', type: 'ADOPTED', payload: { count: 2 } },
      { do: 'deadline', ms: undefined },
      { do: 'inherited' },
    ],
  });
});

test('a manifest of version 1 has listening sockets only, and does not say so', () => {
  const listeners = LISTENERS.map(({ name, family, type, address }) => ({ name, family, type, address }));
  const step = after(frameEvent('OFFER', { ...OFFER, version: 1, listeners }));
  assert.deepEqual(step.commands[0], { do: 'offered', offer: { ...OFFER, version: 1 } });
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

const toAccepting = [offer, fds, ready, ping, commit, accepting];
const toProbation = [...toAccepting, probation];
const toPrimary = [...toProbation, final];
const toSilence = [...toProbation, timeout];
/** The same with a holder of version 1. */
const toAccepting1 = [frameEvent('OFFER', { ...OFFER, version: 1 }), fds, ready, commit, accepting];

test('ready() tells what probation is wanted, PING is answered, COMMIT opens, ACCEPTING is said when it is true', () => {
  assert.deepEqual(after(offer, fds, ready).commands, [
    { do: 'send', type: 'READY', payload: { probationMs: 50, intervalMs: 20 } },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after(offer, fds, ready, ping).commands, [
    { do: 'send', type: 'PONG', payload: {} },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
  assert.deepEqual(after(offer, fds, ready, ping, commit).commands, open);
  assert.deepEqual(after(...toAccepting).commands, [
    { do: 'send', type: 'ACCEPTING', payload: ACCEPTING },
    { do: 'deadline', ms: TIMEOUTS.commit },
  ]);
});

test('on probation the program serves, each PING is answered by a health check, and FINAL makes it the owner', () => {
  assert.deepEqual(after(...toProbation), {
    state: { name: 'probation', receipt: { so: 'far' } },
    commands: [heard, { do: 'deadline', ms: PATIENCE }, { do: 'serve' }],
  });
  assert.deepEqual(after(...toProbation, ping).commands, [
    { do: 'heard', generations: [] },
    { do: 'deadline', ms: PATIENCE },
    { do: 'check' },
  ]);
  assert.deepEqual(after(...toProbation, ping, healthy).commands, [
    { do: 'send', type: 'PONG', payload: FIGURES },
    { do: 'deadline', ms: PATIENCE },
  ]);
  assert.deepEqual(after(...toPrimary), {
    state: { name: 'primary', version: 2, confirmed: true },
    commands: [...ownWithReceipt, sayDrain],
  });
});

test('without a probation FINAL comes behind ACCEPTING', () => {
  assert.deepEqual(after(...toAccepting, final).commands, [...ownWithReceipt, sayDrain]);
});

test('a holder of version 1 gets frames of version 1, and its DRAIN confirms', () => {
  const steps = toAccepting1.map((_, i) => after(...toAccepting1.slice(0, i + 1)).commands);
  const payloads = steps.flat().flatMap((command) => (command.do === 'send' ? [command.payload] : []));
  assert.deepEqual(payloads, [{}, { count: 2 }, {}, {}]);
  assert.deepEqual(after(...toAccepting1, drain), {
    state: { name: 'primary', version: 1, confirmed: true },
    commands: own,
  });
  for (const event of [probation, final]) {
    assert.equal(after(...toAccepting1, event).state.name, 'primary', 'nonsense does not end the service');
  }
  assertFailed(after(...toAccepting1.slice(0, 3), ping).commands, 'ERR_HANDOFF_PROTOCOL', true);
});

test('BYE of the drained holder brings its counts, its death brings none; both end the connection', () => {
  const ended = { state: { name: 'ended' } };
  assert.deepEqual(after(...toPrimary, bye), {
    ...ended,
    commands: [{ do: 'gone', bye: { closed: 1, forced: 0, ms: 5 } }, { do: 'close' }],
  });
  assert.deepEqual(after(...toPrimary, end), {
    ...ended,
    commands: [{ do: 'deadline', ms: undefined }, { do: 'gone', bye: undefined }, { do: 'close' }],
  });
});

test('a holder that dies while the successor boots leaves it an orphan that goes on alone at ready()', () => {
  const orphan = after(offer, fds, end, dead);
  assert.deepEqual(orphan, { state: { name: 'orphan' }, commands: [] });
  const opening = stepSuccessor(orphan.state, ready, FACTS);
  assert.deepEqual(opening.commands, open);
  assert.deepEqual(stepSuccessor(opening.state, accepting, FACTS).commands, ownAlone);
});

test('a holder that dies after READY is succeeded at once', () => {
  const step = after(offer, fds, ready, end, dead);
  assert.deepEqual(step.commands, open);
  assert.deepEqual(stepSuccessor(step.state, accepting, FACTS).commands, ownAlone);
});

test('a holder that dies while the listeners open is succeeded when they are open, once', () => {
  const step = after(offer, fds, ready, commit, end, dead);
  assert.deepEqual(step.commands, []);
  assert.deepEqual(stepSuccessor(step.state, accepting, FACTS).commands, ownAlone);
});

test('a holder that dies after ACCEPTING, or while it stands by, is succeeded', () => {
  for (const events of [toAccepting, toAccepting1])
    assert.deepEqual(after(...events, end, dead).commands, ownAlone);
  for (const events of [toProbation, [...toProbation, giveUp]])
    assert.deepEqual(after(...events, end, dead).commands, ownAloneWithReceipt);
});

test('when the connection is over a successor looks whether the holder is, before it goes on alone', () => {
  const booted = [offer, fds];
  for (const events of [booted, [...booted, ready], [...booted, ready, commit], toAccepting, toProbation]) {
    const before = after(...events);
    assert.deepEqual(stepSuccessor(before.state, end, FACTS), {
      state: before.state,
      commands: [{ do: 'deadline', ms: undefined }, { do: 'seek' }],
    });
  }
});

test('a holder that lives though the connection is lost keeps the service', () => {
  for (const events of [[], [ready], [ready, commit]])
    assertFailed(after(offer, fds, ...events, end, alive).commands, 'ERR_HANDOFF_ABORTED', false);
  for (const events of [toAccepting, toAccepting1, toProbation, [...toProbation, giveUp]])
    assertFailed(after(...events, end, alive).commands, 'ERR_HANDOFF_ROLLED_BACK', false);
});

test('a holder that falls silent is succeeded, and told so for when it wakes up', () => {
  for (const events of [toAccepting, toProbation, [...toProbation, ping, healthy]]) {
    assert.deepEqual(after(...events, timeout), {
      state: { name: 'primary', version: 2, confirmed: false },
      commands: [...(events === toAccepting ? own : ownWithReceipt), sayDrain],
    });
  }
  assert.deepEqual(after(...toAccepting1, timeout), {
    state: { name: 'primary', version: 1, confirmed: false },
    commands: own,
  });
});

test('a holder that comes back may confirm late, or take the service back', () => {
  const { state } = after(...toSilence);
  assert.deepEqual(stepSuccessor(state, final, FACTS).state, { ...state, confirmed: true });
  assert.deepEqual(
    stepSuccessor(state, probation, FACTS).state,
    state,
    'it was slow, and will read our DRAIN',
  );
  const back = stepSuccessor(state, nak, FACTS);
  assert.equal(back.state.name, 'ended');
  assertFailed(back.commands, 'ERR_HANDOFF_ROLLED_BACK', false);
  const late = stepSuccessor(after(...toAccepting1, timeout).state, drain, FACTS);
  assert.deepEqual(late.state, { name: 'primary', version: 1, confirmed: true });
});

test('once confirmed, nothing that the old holder says or does ends the service', () => {
  const { state } = after(...toPrimary);
  for (const event of [nak, end, garbage, timeout, commit, drain, giveUp, bye]) {
    const { commands } = stepSuccessor(state, event, FACTS);
    assert.equal(failureOf(commands), undefined, JSON.stringify(event));
  }
});

test('a successor that gives up on probation serves until the holder has said that it does', () => {
  for (const events of [toAccepting, toProbation, [...toProbation, ping]]) {
    const failing = after(...events, giveUp);
    assert.deepEqual(failing, {
      state: {
        name: 'failing',
        reason: 'cannot',
        receipt: events === toAccepting ? undefined : { so: 'far' },
        final: false,
      },
      commands: [
        { do: 'send', type: 'NAK', payload: { reason: 'cannot' } },
        { do: 'deadline', ms: TIMEOUTS.commit },
      ],
    });
    // What was on its way does not change that.
    const late: SuccessorEvent[] = [ping, probation, healthy, garbage];
    for (const event of late) {
      assert.deepEqual(stepSuccessor(failing.state, event, FACTS), { state: failing.state, commands: [] });
    }
    const again = stepSuccessor(failing.state, giveUp, FACTS);
    assert.deepEqual(again, { state: failing.state, commands: [{ do: 'deadline', ms: TIMEOUTS.commit }] });
    assertFailed(stepSuccessor(failing.state, nak, FACTS).commands, 'ERR_HANDOFF_ROLLED_BACK', false);
  }
});

test('a successor that gives up as FINAL comes owns the service if the holder goes without taking it back', () => {
  const late = [...toProbation, giveUp, final];
  assertFailed(after(...late, nak).commands, 'ERR_HANDOFF_ROLLED_BACK', false);
  for (const event of [alive, dead])
    assert.deepEqual(after(...late, end, event).commands, ownAloneWithReceipt);
});

test('a successor that gives up and finds the holder silent serves on, and steps down when it answers', () => {
  const unheard = after(...toProbation, giveUp, timeout);
  assert.deepEqual(unheard.commands, [{ do: 'deadline', ms: undefined }, { do: 'unheard' }]);
  assertFailed(stepSuccessor(unheard.state, nak, FACTS).commands, 'ERR_HANDOFF_ROLLED_BACK', false);
});

test('the holder that takes the service back on probation is obeyed, whatever its NAK looks like', () => {
  for (const event of [nak, frameEvent('NAK')]) {
    assertFailed(after(...toProbation, event).commands, 'ERR_HANDOFF_ROLLED_BACK', false);
  }
});

test('a program that needs longer to boot says so, to a holder of version 2 that waits for it', () => {
  const extend: SuccessorEvent = { type: 'extend', ms: 300 };
  assert.deepEqual(after(offer, fds, extend).commands, [
    { do: 'send', type: 'EXTEND', payload: { ms: 300 } },
  ]);
  assert.deepEqual(after(...toAccepting1.slice(0, 2), extend).commands, []);
  assert.deepEqual(after(offer, fds, end, dead, extend).commands, []);
});

test('what the holder tells of itself while it drains is heard, and confirms that it does', () => {
  const report = frameEvent('REPORT', { generations: GENERATIONS });
  for (const events of [toPrimary, toSilence])
    assert.deepEqual(after(...events, report), {
      state: { name: 'primary', version: 2, confirmed: true },
      commands: [heard],
    });
});

test('HURRY is said by an owner to a holder of version 2 only', () => {
  const hurry: SuccessorEvent = { type: 'hurry', behind: 2 };
  assert.deepEqual(after(...toPrimary, hurry).commands, [
    { do: 'send', type: 'HURRY', payload: { behind: 2 } },
  ]);
  assert.deepEqual(after(...toAccepting1, drain, hurry).commands, []);
  assert.deepEqual(after(...toProbation, hurry).commands, []);
});

test('garbage of a holder that may have stopped already does not end the service', () => {
  for (const events of [toAccepting, toAccepting1, toProbation, toSilence]) {
    const { state } = after(...events);
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

test('a refusal of the user is told apart, with the reason of the predecessor', () => {
  const refused = frameEvent('REFUSED', { versions: [1, 2], reason: 'uid 9 may not', why: 'user' });
  const failure = failureOf(after(refused).commands);
  assert.equal(failure?.code, 'ERR_HANDOFF_REFUSED');
  assert.match(failure.reason, /uid 9 may not/);
});

test('a version that was not on offer is refused', () => {
  assertFailed(after(frameEvent('OFFER', { ...OFFER, version: 3 })).commands, 'ERR_HANDOFF_PROTOCOL', true);
});

test('an offer of more listeners than a process may have is refused', () => {
  const many = Array.from({ length: MAX_LISTENERS + 3 }, (_, i) => ({ ...LISTENERS[0], name: `l${i}` }));
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
  ['orphan', [offer, fds, end, dead]],
  ['ready', [offer, fds, ready]],
  ['opening', [offer, fds, ready, commit]],
  ['opening alone', [offer, fds, ready, end, dead]],
  ['accepting', toAccepting],
  ['accepting 1', toAccepting1],
  ['probation', toProbation],
  ['failing', [...toProbation, giveUp]],
  ['unheard', [...toProbation, giveUp, timeout]],
  ['primary unconfirmed', toSilence],
  ['primary', toPrimary],
  ['ended', [nak]],
];
const states = paths.map(([name, events]): [string, SuccessorState] => [name, after(...events).state]);

const events: [string, SuccessorEvent][] = [
  ...[{ type: 'start' } as const, ready, accepting, healthy, garbage, end, dead, alive, timeout].map(
    (event): [string, SuccessorEvent] => [event.type, event],
  ),
  ['giveUp', giveUp],
  ['hurry', { type: 'hurry', behind: 1 }],
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
      const mute =
        ['end', 'alive'].includes(event.type) ||
        label.startsWith('NAK') ||
        /^hello\+(BUSY|REFUSED)$/.test(id);
      assertFailed(step.commands, failure.code, !mute, id);
    }
  });
}

test('every state that waits for the holder has a deadline, and the others have none', () => {
  const waiting = new Set(['hello', 'fds', 'ready', 'accepting', 'accepting 1', 'probation', 'failing']);
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
  const allowed = new Set(['ready+COMMIT', 'ready+COMMIT {}', 'ready+dead', 'orphan+ready']);
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
