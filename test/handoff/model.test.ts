// Both machines at the two ends of a simulated connection, with deaths, deadlines, failures and delays at every point,
// also against the frozen machines of version 1: whatever happens, somebody accepts, and it comes to an end.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import type { Frame } from '#fdpass/handoff/frame';
import * as holder from '#fdpass/handoff/holder';
import type { ManifestEntry } from '#fdpass/handoff/payloads';
import * as successor from '#fdpass/handoff/successor';
import { TIMEOUTS, TXN } from '../helpers/machines';
import { frozen } from '../helpers/protocol-1';

const RUNS = Number(process.env['MODEL_RUNS'] ?? 8_000);
const LISTENERS: ManifestEntry[] = Array.from({ length: 70 }, (_, i) => ({
  name: `l${i}`,
  family: 'unix',
  type: 'stream',
  address: `@${i}`,
}));

interface Machines {
  stepHolder: typeof holder.stepHolder;
  stepSuccessor: typeof successor.stepSuccessor;
}
// The frozen ones know fewer states, events and commands; what they share has the same names.
const old = frozen as unknown as Machines;
const BOTH_2 = 'version 2 and version 2';
const PAIRS: Record<string, Machines> = {
  [BOTH_2]: { stepHolder: holder.stepHolder, stepSuccessor: successor.stepSuccessor },
  'a holder of version 1': { stepHolder: old.stepHolder, stepSuccessor: successor.stepSuccessor },
  'a successor of version 1': { stepHolder: holder.stepHolder, stepSuccessor: old.stepSuccessor },
};

type HolderCommand = holder.HolderCommand | { do: 'stopAccepting' };

/** One side of the connection. */
class Side {
  alive = true;
  accepts: boolean;
  /** Its deadline runs. */
  timer = false;
  /** It has closed, or is dead: the other one reads an end behind what is left. */
  closed = false;
  /** What it has not read yet. */
  readonly inbox: Frame[] = [];
  /** It wants to know what became of the other one. */
  seeking = false;
  /** The other one had closed when it said something. */
  lost = false;

  constructor(accepts: boolean) {
    this.accepts = accepts;
  }

  kill(): void {
    this.alive = this.accepts = this.timer = this.seeking = false;
    this.closed = true;
  }
}

/** One transaction in a world where anything may take any time. */
class World {
  holderState: holder.HolderState = holder.HOLDER_START;
  successorState: successor.SuccessorState = successor.SUCCESSOR_START;
  readonly holder = new Side(true);
  readonly successor = new Side(false);
  leased = false;
  paused = false;
  superseded = false;
  drained = false;
  failures = 0;
  rolledBack = false;
  /** The successor's program: what is under way, what it has done. */
  opening = false;
  checking = false;
  readyCalled = false;
  gaveUp = false;
  owns = false;
  failed = false;
  /** A third process has taken over from the successor, which has gone. */
  passedOn = false;
  /** The connection was cut, though both lived. */
  cut = false;
  /** Of a probation: how often the time was asked for. */
  probes = 1;
  readonly history: string[] = [];

  constructor(
    readonly machines: Machines,
    readonly probationMs: number,
  ) {
    this.toSuccessor({ type: 'start' });
    this.toHolder({ type: 'start' });
  }

  toHolder(event: holder.HolderEvent): void {
    this.#note('holder', event);
    if (event.type === 'end') this.holder.closed = true; // its channel has closed, too
    const step = this.machines.stepHolder(this.holderState, event, {
      pid: 1,
      generation: 1,
      timeouts: TIMEOUTS,
      listeners: () => LISTENERS,
      busy: () => undefined,
      receipt: () => ({}),
      generations: () => [],
      inStateMs: () => this.probes++ * 20,
    });
    this.holderState = step.state;
    for (const command of step.commands) this.#runHolder(command);
  }

  toSuccessor(event: successor.SuccessorEvent): void {
    this.#note('successor', event);
    if (event.type === 'end') this.successor.closed = true;
    const probation = { ms: this.probationMs, intervalMs: 20 };
    const facts = {
      uptimeMs: () => 1,
      timeouts: TIMEOUTS,
      probation,
      accepted: () => 0,
      stateOptional: false,
      figures: () => ({}),
    };
    const step = this.machines.stepSuccessor(this.successorState, event, facts);
    this.successorState = step.state;
    for (const command of step.commands) this.#runSuccessor(command);
  }

  #note(side: string, event: holder.HolderEvent | successor.SuccessorEvent): void {
    this.history.push(`${side}<${event.type === 'frame' ? event.frame.type : event.type}`);
  }

  #runHolder(command: HolderCommand): void {
    switch (command.do) {
      case 'send':
        if (this.successor.closed || this.cut) this.holder.lost = true;
        else this.successor.inbox.push(frameOf(command));
        break;
      case 'deadline':
        this.holder.timer = command.ms !== undefined;
        break;
      case 'lease':
        this.leased = true;
        break;
      case 'pause':
      case 'stopAccepting':
        this.paused = true;
        this.holder.accepts = false;
        break;
      case 'resume':
        assert.ok(this.paused && !this.superseded, this.story());
        this.holder.accepts = true;
        break;
      case 'seek':
        this.holder.seeking = true;
        break;
      case 'supersede':
        assert.ok(!this.holder.accepts, this.story());
        this.superseded = true;
        break;
      case 'fail':
        this.leased = false;
        this.failures++;
        this.rolledBack = command.rolledBack;
        break;
      case 'close':
        this.holder.closed = true;
        break;
    }
  }

  #runSuccessor(command: successor.SuccessorCommand): void {
    switch (command.do) {
      case 'send':
        if (this.holder.closed || this.cut) this.successor.lost = true;
        else this.holder.inbox.push(frameOf(command));
        break;
      case 'deadline':
        this.successor.timer = command.ms !== undefined;
        break;
      case 'accept':
        this.opening = true;
        break;
      case 'check':
        this.checking = true;
        break;
      case 'seek':
        this.successor.seeking = true;
        break;
      case 'own':
        this.owns = true;
        break;
      case 'fail':
        this.failed = true;
        this.successor.accepts = false;
        break;
      case 'close':
        this.successor.closed = true;
        break;
    }
  }

  /** The frames, and what follows by itself. */
  ordinary(): (() => void)[] {
    const can: (() => void)[] = [];
    if (this.holder.alive && !this.holder.closed) {
      if (this.holder.inbox.length > 0) can.push(() => this.toHolder(frameEvent(this.holder)));
      else if (this.successor.closed || this.cut)
        can.push(() => this.toHolder({ type: 'end', heard: !this.holder.lost }));
    }
    if (this.holder.alive && this.holderState.name === 'draining' && !this.drained) {
      can.push(() => {
        this.drained = true;
        this.toHolder({ type: 'drained', bye: { closed: 0, forced: 0, ms: 0 } });
      });
    }
    if (this.holder.alive && this.holder.seeking) {
      if (!this.successor.alive) can.push(() => this.found('holder', { type: 'dead' }));
      else if (this.successor.closed) can.push(() => this.found('holder', { type: 'alive' }));
    }
    if (!this.successor.alive) return can;
    if (!this.successor.closed) {
      if (this.successor.inbox.length > 0) can.push(() => this.toSuccessor(frameEvent(this.successor)));
      else if (this.holder.closed || this.cut) can.push(() => this.toSuccessor({ type: 'end' }));
    }
    if (this.successor.seeking) {
      // One that lives has had the time to see the end, too.
      if (!this.holder.alive) can.push(() => this.found('successor', { type: 'dead' }));
      else if (this.holder.closed) can.push(() => this.found('successor', { type: 'alive' }));
    }
    const { name } = this.successorState;
    if (!this.readyCalled && (name === 'warm' || name === 'orphan')) {
      can.push(() => {
        this.readyCalled = true;
        this.toSuccessor({ type: 'ready' });
      });
    }
    if (this.opening) {
      can.push(() => {
        this.opening = false;
        // The listeners of a successor that has failed meanwhile are closed.
        if (this.successorState.name === 'opening') this.successor.accepts = true;
        this.toSuccessor({ type: 'accepting', accepting: { inherited: [], bound: [], rssBytes: 1 } });
      });
    }
    if (this.checking) {
      can.push(() => {
        this.checking = false;
        this.toSuccessor({ type: 'healthy' });
      });
    }
    return can;
  }

  /**
   * What goes wrong. A deadline and an abort are judged only when there is nothing left to read: see Deadline and
   * runUpgrade(). Nobody gives up
   * who owns the service, and in version 1 nobody who has said that he accepts.
   */
  mishaps(): (() => void)[] {
    const can: (() => void)[] = [];
    const { name } = this.successorState;
    if (this.holder.timer && this.holder.inbox.length === 0 && !this.successor.closed && !this.cut)
      can.push(() => this.toHolder({ type: 'timeout' }));
    if (this.successor.timer && this.successor.inbox.length === 0 && !this.holder.closed && !this.cut)
      can.push(() => this.toSuccessor({ type: 'timeout' }));
    if (this.holder.alive && !this.holder.closed) {
      if (this.holder.inbox.length === 0) can.push(() => this.toHolder({ type: 'abort', reason: 'closed' }));
      if (this.holderState.name === 'probation') can.push(() => this.toHolder({ type: 'settle' }));
    }
    const tooLate = ['primary', 'ended', ...(this.machines === PAIRS[BOTH_2] ? [] : ['accepting'])];
    if (this.successor.alive && !tooLate.includes(name)) {
      can.push(() => {
        this.gaveUp = true;
        this.checking = false;
        this.toSuccessor({ type: 'giveUp', reason: 'cannot' });
      });
    }
    if (this.successor.alive && this.owns && !this.failed && this.successor.inbox.length === 0) {
      can.push(() => {
        this.passedOn = true;
        this.kill('successor');
      });
    }
    if (this.machines === PAIRS[BOTH_2] && !this.cut && !this.passedOn) {
      can.push(() => {
        this.history.push('the connection is cut');
        this.cut = true;
      });
    }
    if (this.holder.alive) can.push(() => this.kill('holder'));
    if (this.successor.alive) can.push(() => this.kill('successor'));
    return can;
  }

  /** What was found holds at that moment: a death that comes later is another matter. */
  found(side: 'holder' | 'successor', event: { type: 'dead' | 'alive' }): void {
    this[side].seeking = false;
    if (side === 'holder') this.toHolder(event);
    else this.toSuccessor(event);
  }

  kill(side: 'holder' | 'successor'): void {
    this.history.push(`${side} killed`);
    this[side].kill();
    if (side === 'successor') this.opening = this.checking = false;
  }

  check(): void {
    const { holder: one, successor: two } = this;
    if (one.alive && two.alive) assert.ok(one.accepts || two.accepts, `nobody accepts: ${this.story()}`);
    if (one.alive && two.alive && this.superseded)
      assert.ok(!this.failed, `both drain, nobody serves: ${this.story()}`);
    const over = this.holderState.name === 'ended' && one.alive && !this.superseded;
    if (over) {
      assert.ok(one.accepts, `the holder does not accept, and nothing is under way: ${this.story()}`);
      assert.ok(!this.leased && one.closed && !one.timer, `the lease is kept: ${this.story()}`);
      assert.equal(this.failures, 1, this.story());
      assert.equal(this.rolledBack ?? false, this.paused, this.story());
    }
    if (this.successorState.name === 'ended') assert.ok(!two.timer, `a deadline runs on: ${this.story()}`);
  }

  /** With nothing going wrong any more it comes to an end. */
  settle(): void {
    for (let i = 0; i < 300; i++) {
      const [next] = this.ordinary();
      if (next !== undefined) next();
      else if (this.holder.timer) this.toHolder({ type: 'timeout' });
      else if (this.successor.timer) this.toSuccessor({ type: 'timeout' });
      else break;
      this.check();
    }
    const { holder: one, successor: two } = this;
    if (one.alive) assert.equal(this.holderState.name, 'ended', this.story());
    if (two.alive) assert.ok(['ended', 'primary'].includes(this.successorState.name), this.story());
    // Whether a NAK was read before the connection was cut nobody can tell who has sent it.
    const undecidable = this.cut && this.gaveUp;
    assert.ok(undecidable || !(one.accepts && two.accepts), `two processes serve for good: ${this.story()}`);
    if (!one.alive && two.alive && this.readyCalled && !this.failed)
      assert.ok(two.accepts && this.owns, `the only one left does not serve: ${this.story()}`);
    // With the connection cut nobody has told the holder of the third one.
    if (this.passedOn)
      assert.ok(this.cut || !one.accepts, `the holder is back, and a third one serves: ${this.story()}`);
    else if (one.alive && !two.alive && !this.superseded)
      assert.ok(one.accepts, `the holder does not serve: ${this.story()}`);
  }

  story(): string {
    return this.history.join(' ');
  }
}

function frameOf({ type, payload }: { type: Frame['type']; payload: Frame['payload'] }): Frame {
  return { type, txn: TXN, sequence: 0, payload };
}

function frameEvent(side: Side): { type: 'frame'; frame: Frame } {
  return { type: 'frame', frame: side.inbox.shift() as Frame };
}

/** One in eight choices is a mishap. Shrinks to the shortest story with the same end. */
const choices = fc.array(fc.record({ mishap: fc.nat(7).map((n) => n === 7), which: fc.nat(15) }), {
  minLength: 5,
  maxLength: 80,
  size: 'max',
});

for (const [pair, machines] of Object.entries(PAIRS)) {
  test(`${pair}: in ${RUNS} random upgrades somebody always accepts, and each comes to an end`, () => {
    const ends = { superseded: 0, failed: 0, rolledBack: 0, orphaned: 0, gaveUp: 0 };
    const property = fc.property(choices, fc.constantFrom(0, 20, 50), (path, probationMs) => {
      const world = new World(machines, probationMs);
      for (const { mishap, which } of path) {
        const can = mishap ? world.mishaps() : world.ordinary();
        can[which % can.length]?.();
        world.check();
      }
      world.settle();
      if (world.superseded) ends.superseded++;
      if (world.failures > 0) ends.failed++;
      if (world.rolledBack) ends.rolledBack++;
      if (!world.holder.alive && world.owns) ends.orphaned++;
      if (world.gaveUp) ends.gaveUp++;
    });
    fc.assert(property, { numRuns: RUNS, includeErrorInReport: true });
    // The walks have been everywhere.
    for (const [end, count] of Object.entries(ends)) {
      const never = end === 'rolledBack' && pair !== BOTH_2;
      if (!never) assert.ok(count > RUNS / 100, `${end}: ${count}`);
    }
  });
}
