// Both machines at the two ends of a simulated connection, with deaths, deadlines and delays at every point:
// whatever happens, somebody accepts, and the lease is freed.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Frame } from '#fdpass/handoff/frame';
import {
  HOLDER_START,
  type HolderCommand,
  type HolderEvent,
  type HolderFacts,
  type HolderState,
  stepHolder,
} from '#fdpass/handoff/holder';
import type { ManifestEntry } from '#fdpass/handoff/payloads';
import {
  SUCCESSOR_START,
  type SuccessorCommand,
  type SuccessorEvent,
  type SuccessorState,
  stepSuccessor,
} from '#fdpass/handoff/successor';
import { TIMEOUTS, TXN } from '../helpers/machines';
import { type Random, seeded } from '../helpers/random';

const WALKS = 20_000;
const STEPS = 60;
const LISTENERS: ManifestEntry[] = Array.from({ length: 70 }, (_, i) => ({
  name: `l${i}`,
  family: 'unix',
  type: 'stream',
  address: `@${i}`,
}));

/** One transaction in a world where anything may take any time. */
class World {
  holder: HolderState = HOLDER_START;
  successor: SuccessorState = SUCCESSOR_START;
  holderAlive = true;
  successorAlive = true;
  holderAccepts = true;
  successorAccepts = false;
  superseded = false;
  leased = false;
  drained = false;
  holderFailures = 0;
  /** The deadline of that side runs. */
  holderTimer = false;
  successorTimer = false;
  /** The program's own work that is under way. */
  opening = false;
  readyCalled = false;
  gaveUp = false;
  owns = false;
  /** What is in the socket buffers. */
  toHolder: Frame[] = [];
  toSuccessor: Frame[] = [];
  /** That side has closed, or is dead: the other one reads an end behind what is left. */
  holderClosed = false;
  successorClosed = false;
  readonly history: string[] = [];

  readonly facts: HolderFacts = {
    pid: 1,
    generation: 1,
    timeouts: TIMEOUTS,
    listeners: () => LISTENERS,
    busy: () => undefined,
  };

  constructor() {
    this.toSuccessorMachine({ type: 'start' });
    this.toHolderMachine({ type: 'start' });
  }

  toHolderMachine(event: HolderEvent): void {
    this.history.push(`holder<${event.type === 'frame' ? event.frame.type : event.type}`);
    const step = stepHolder(this.holder, event, this.facts);
    this.holder = step.state;
    for (const command of step.commands) this.#runHolder(command);
  }

  toSuccessorMachine(event: SuccessorEvent): void {
    this.history.push(`successor<${event.type === 'frame' ? event.frame.type : event.type}`);
    const step = stepSuccessor(this.successor, event, { uptimeMs: () => 1, timeouts: TIMEOUTS });
    this.successor = step.state;
    for (const command of step.commands) this.#runSuccessor(command);
  }

  #runHolder(command: HolderCommand): void {
    if (command.do === 'send' && !this.successorClosed) {
      this.toSuccessor.push({ type: command.type, txn: TXN, sequence: 0, payload: command.payload });
    }
    if (command.do === 'deadline') this.holderTimer = command.ms !== undefined;
    if (command.do === 'lease') this.leased = true;
    if (command.do === 'stopAccepting') this.holderAccepts = false;
    if (command.do === 'supersede') {
      assert.equal(this.holderAccepts, false);
      this.superseded = true;
    }
    if (command.do === 'fail') {
      this.leased = false;
      this.holderFailures++;
    }
    if (command.do === 'close') this.holderClosed = true;
  }

  #runSuccessor(command: SuccessorCommand): void {
    if (command.do === 'send' && !this.holderClosed) {
      this.toHolder.push({ type: command.type, txn: TXN, sequence: 0, payload: command.payload });
    }
    if (command.do === 'deadline') this.successorTimer = command.ms !== undefined;
    if (command.do === 'accept') this.opening = true;
    if (command.do === 'own') this.owns = true;
    if (command.do === 'fail') this.successorAccepts = false;
    if (command.do === 'close') this.successorClosed = true;
  }

  kill(side: 'holder' | 'successor'): void {
    this.history.push(`${side} killed`);
    if (side === 'holder') {
      this.holderAlive = this.holderAccepts = this.holderTimer = false;
      this.holderClosed = true;
    } else {
      this.successorAlive = this.successorAccepts = this.successorTimer = this.opening = false;
      this.successorClosed = true;
    }
  }

  /** Everything that may happen next. Deadlines and deaths are rarer than frames. */
  choices(random: Random): (() => void)[] {
    const choices: (() => void)[] = [];
    const often = (choice: () => void): void => {
      for (let i = 0; i < 8; i++) choices.push(choice);
    };
    if (this.holderAlive && !this.holderClosed) {
      const frame = this.toHolder[0];
      if (frame !== undefined)
        often(() => this.toHolderMachine({ type: 'frame', frame: this.toHolder.shift() as Frame }));
      else if (this.successorClosed) often(() => this.toHolderMachine({ type: 'end' }));
      if (this.holderTimer) choices.push(() => this.toHolderMachine({ type: 'timeout' }));
      if (random.below(3) === 0)
        choices.push(() => this.toHolderMachine({ type: 'abort', reason: 'closed' }));
      if (this.superseded && !this.drained) {
        choices.push(() => {
          this.drained = true;
          this.toHolderMachine({ type: 'drained', closed: 0, forced: 0 });
        });
      }
    }
    if (this.successorAlive) {
      const frame = this.toSuccessor[0];
      if (!this.successorClosed) {
        if (frame !== undefined)
          often(() => this.toSuccessorMachine({ type: 'frame', frame: this.toSuccessor.shift() as Frame }));
        else if (this.holderClosed) often(() => this.toSuccessorMachine({ type: 'end' }));
      }
      if (this.successorTimer) choices.push(() => this.toSuccessorMachine({ type: 'timeout' }));
      if (!this.readyCalled && ['warm', 'orphan'].includes(this.successor.name)) {
        often(() => {
          this.readyCalled = true;
          this.toSuccessorMachine({ type: 'ready' });
        });
      }
      if (this.opening) {
        often(() => {
          this.opening = false;
          // The listeners of a successor that has failed meanwhile are closed.
          if (this.successor.name === 'opening') this.successorAccepts = true;
          this.toSuccessorMachine({ type: 'accepting' });
        });
      }
      // The program may give up until it has said that it accepts; afterwards that is a close of the service.
      if (!['accepting', 'primary', 'ended'].includes(this.successor.name) && random.below(3) === 0) {
        choices.push(() => {
          this.gaveUp = true;
          this.toSuccessorMachine({ type: 'giveUp', reason: 'cannot' });
        });
      }
    }
    if (this.holderAlive && random.below(4) === 0) choices.push(() => this.kill('holder'));
    if (this.successorAlive && random.below(4) === 0) choices.push(() => this.kill('successor'));
    return choices;
  }

  check(): void {
    const history = this.history.join(' ');
    const killed = !this.holderAlive || !this.successorAlive;
    if (!killed) assert.ok(this.holderAccepts || this.successorAccepts, `nobody accepts: ${history}`);
    if (!this.successorAlive && this.holderAlive && !this.superseded)
      assert.ok(this.holderAccepts, `the holder stopped for a successor that never took over: ${history}`);
    if (this.holder.name === 'ended' && this.holderAlive && !this.superseded) {
      assert.equal(this.leased, false, `the lease is kept: ${history}`);
      assert.equal(this.holderFailures, 1, history);
      assert.equal(this.holderTimer, false, `a deadline runs on: ${history}`);
      assert.ok(this.holderClosed, history);
    }
    if (this.successor.name === 'ended')
      assert.equal(this.successorTimer, false, `a deadline runs on: ${history}`);
  }

  /** With nobody interfering any more, it comes to an end. */
  settle(): void {
    for (let i = 0; i < 300; i++) {
      if (this.holderAlive && !this.holderClosed && this.toHolder.length > 0)
        this.toHolderMachine({ type: 'frame', frame: this.toHolder.shift() as Frame });
      else if (this.successorAlive && !this.successorClosed && this.toSuccessor.length > 0)
        this.toSuccessorMachine({ type: 'frame', frame: this.toSuccessor.shift() as Frame });
      else if (this.opening) {
        this.opening = false;
        if (this.successor.name === 'opening') this.successorAccepts = true;
        this.toSuccessorMachine({ type: 'accepting' });
      } else if (this.holderAlive && !this.holderClosed && this.successorClosed)
        this.toHolderMachine({ type: 'end' });
      else if (this.successorAlive && !this.successorClosed && this.holderClosed)
        this.toSuccessorMachine({ type: 'end' });
      else if (this.successorAlive && ['warm', 'orphan'].includes(this.successor.name))
        this.toSuccessorMachine({ type: 'ready' });
      else if (this.superseded && !this.drained) {
        this.drained = true;
        this.toHolderMachine({ type: 'drained', closed: 0, forced: 0 });
      } else if (this.holderTimer) this.toHolderMachine({ type: 'timeout' });
      else if (this.successorTimer) this.toSuccessorMachine({ type: 'timeout' });
      else break;
      this.check();
    }
    const history = this.history.join(' ');
    if (this.holderAlive) assert.equal(this.holder.name, 'ended', history);
    if (this.successorAlive) {
      const done = ['ended', 'primary'].includes(this.successor.name);
      assert.ok(done, `the successor hangs in ${this.successor.name}: ${history}`);
    }
    if (this.holderAlive && this.successorAlive) {
      const both = this.holderAccepts && this.successorAccepts;
      assert.ok(!both, `two processes serve for good: ${history}`);
    }
    if (this.successorAlive && !this.holderAlive && !this.gaveUp && this.readyCalled && this.owns) {
      const tookBack = this.successor.name === 'ended' && !this.successorAccepts;
      if (!tookBack) assert.ok(this.successorAccepts, `the only one left does not serve: ${history}`);
    }
  }
}

test(`in ${WALKS} random upgrades somebody always accepts, and each comes to an end`, () => {
  const ends = { superseded: 0, failed: 0, killed: 0, orphaned: 0 };
  for (let seed = 1; seed <= WALKS; seed++) {
    const random = seeded(seed);
    const world = new World();
    for (let i = 0; i < STEPS; i++) {
      const choices = world.choices(random);
      if (choices.length === 0) break;
      choices[random.below(choices.length)]?.();
      world.check();
    }
    world.settle();
    if (world.superseded) ends.superseded++;
    if (world.holderFailures > 0) ends.failed++;
    if (!world.holderAlive || !world.successorAlive) ends.killed++;
    if (!world.holderAlive && world.owns) ends.orphaned++;
  }
  // The walks have been everywhere.
  for (const [end, count] of Object.entries(ends)) assert.ok(count > WALKS / 100, `${end}: ${count}`);
});
