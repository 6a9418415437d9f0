// The fault matrix: whatever happens to either process, in whatever state, under load no connection is refused, one of
// the two serves in the end, and the next restart works.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Fault } from '../fixtures/handoff-server';
import { httpClient, Load } from '../helpers/clients';
import { type Actor, portOf, Stage, web, within } from '../helpers/stage';

type Side = 'old' | 'new';
type State = 'warm' | 'ping' | 'commit' | 'probation' | 'final' | 'drain';

/** What the process is about to send when it happens: the other side waits for that in the state. */
const frames: Record<Side, Partial<Record<State, Pick<Fault, 'frame' | 'nth'>>>> = {
  new: {
    warm: { frame: 'READY' },
    ping: { frame: 'PONG' },
    commit: { frame: 'ACCEPTING' },
    probation: { frame: 'PONG', nth: 2 },
    final: { frame: 'DRAIN' },
  },
  old: {
    ping: { frame: 'PING' },
    commit: { frame: 'COMMIT' },
    probation: { frame: 'PROBATION' },
    final: { frame: 'FINAL' },
    drain: { frame: 'BYE' },
  },
};
const faults: Fault['how'][] = ['SIGKILL', 'exit 0', 'SIGSTOP', 'nonsense'];

/** Who serves in the end. */
function winner(side: Side, state: State, how: Fault['how']): Side {
  const silent = how === 'SIGSTOP';
  if (side === 'new') {
    // The decision was made, and only a death or a NAK can take it back.
    return state === 'final' && (silent || how === 'nonsense') ? 'new' : 'old';
  }
  // Before the old one has stopped accepting, a new one that hears nothing, or nonsense, does not go on.
  return (silent || how === 'nonsense') && (state === 'ping' || state === 'commit') ? 'old' : 'new';
}

/** The event by which that process tells that it is settled. */
async function settled(actor: Actor, side: Side): Promise<void> {
  if (side === 'new') await actor.event('confirmed');
  else await Promise.race([actor.event('aborted'), actor.event('rolledback')]);
}

interface Cast {
  old: Actor;
  new: Actor;
}

/** proc_pid_stat(5): T. The state comes behind the name in parentheses. */
async function isStopped(pid: number): Promise<void> {
  await within(`the stop of process ${pid}`, async () => {
    while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await nextTurn();
  });
}

/** Stopped processes go on when the other one has noticed, or must. */
async function wakeUp(cast: Cast, side: Side, wins: Side): Promise<void> {
  if (wins !== side) await settled(cast[wins], wins);
  // The one that wins is the one that is stopped: the other one has given it up, or is waiting for it.
  else if (side === 'old') await cast.new.event('failed');
  else await cast.old.event('superseded');
  await isStopped(cast[side].pid);
  process.kill(cast[side].pid, 'SIGCONT');
}

for (const side of ['new', 'old'] as const) {
  for (const [state, frame] of Object.entries(frames[side]) as [State, Pick<Fault, 'frame' | 'nth'>][]) {
    for (const how of faults) {
      const wins = winner(side, state, how);
      test(`${how} of the ${side} process in state ${state}: the ${wins} one serves, nobody is refused`, async (t) => {
        const stage = await Stage.open(t, {
          probation: { ms: 60, interval: 20 },
          timeouts: { warm: 1000, ping: 300, commit: 300 },
          listeners: [web()],
        });
        const fault = { ...frame, how };
        const first = await stage.start(side === 'old' ? { fault } : {});
        const target = { port: portOf(first) };
        const load = new Load([httpClient(target), httpClient(target, { keepAlive: false })]);
        t.after(() => load.stop());
        await load.served(first.pid);
        const cast = { old: first, new: await stage.enter(side === 'new' ? { fault } : {}) };
        if (how === 'SIGSTOP') await wakeUp(cast, side, wins);
        await settled(cast[wins], wins);
        await load.served(cast[wins].pid);
        // A draining process is waited for; one that was killed or has failed is gone.
        const loser = cast[wins === 'new' ? 'old' : 'new'];
        await loser.exit(); // drained, given up, or killed
        assert.ok(
          existsSync(stage.file(`fault-${cast[side].pid}`)),
          'nothing went wrong: this tests nothing',
        );
        const third = await stage.start({ timeouts: {} });
        await load.served(third.pid);
        const { failures } = await load.stop();
        const killed = how !== 'SIGSTOP' && how !== 'nonsense';
        if (killed)
          assert.deepEqual(
            failures.filter((text) => !/ECONNRESET|hang up|EPIPE/.test(text)),
            [],
          );
        else assert.deepEqual(failures, []);
      });
    }
  }
}
