// One cell of the fault matrix, with real processes under load: strike, see who serves, restart once more, count.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { httpClient, Load } from '../helpers/clients';
import { type Actor, portOf, type Script, Stage, web, within } from '../helpers/stage';
import type { Ending } from '../helpers/tmp-dir';
import { type Cell, isDeadly, isStarving, type Side } from './table';

export interface CellResult {
  /** Who served when it was over. */
  served: Side;
  answered: number;
  /** Requests that failed and may have: those inside a process that died, or that one without descriptors turned away. */
  allowed: number;
}

interface Cast {
  old: Actor;
  new: Actor;
}

/** What a client sees of a connection whose process has gone. */
const CUT = /ECONNRESET|hang up|EPIPE/;
/** Two workers, so that at most two requests are inside of a process when it dies. */
const WORKERS = 2;

const script: Script = {
  probation: { ms: 60, interval: 20 },
  timeouts: { hello: 1500, warm: 3000, fds: 1500, ping: 1500, commit: 1500 },
  listeners: [web()],
  counter: 'counts',
  pidFile: true,
};

/** @throws AssertionError that says what was not as it has to be */
export async function runCell(t: Ending, cell: Cell): Promise<CellResult> {
  const stage = await Stage.open(t, script);
  const first = await stage.start(cell.side === 'old' ? { fault: { how: cell.how, ...cell.at } } : {});
  const before = await first.call<string[]>('inventory');
  const target = { port: portOf(first) };
  const load = new Load([httpClient(target), httpClient(target, { keepAlive: false })]);
  t.after(async () => void (await load.stop()));
  await load.served(first.pid);
  const cast = await strike(stage, first, cell);
  const served = await settled(cast, cell);
  if (isStarving(cell.how)) await relieve(cast[cell.side]);
  for (const side of ['old', 'new'] as const) {
    if (served === side) await load.served(cast[side].pid);
    else await cast[side].exit(); // drained, given up, or killed
  }
  const story = `${cast.old.story()} ${cast.new.story()}`;
  const happened = existsSync(stage.file(`fault-${cast[cell.side].pid}`));
  assert.ok(happened, `nothing went wrong: this tests nothing. ${story}`);
  await assertNamed(stage, cast, served, cell);
  if (served === 'old') await assertOpen(cast.old, before);
  const left = served === 'new' ? await inventoryAlone(cast.new) : undefined;
  const third = await stage.start({ timeouts: {} });
  await third.event('confirmed');
  await load.served(third.pid);
  const { answered, failures } = await load.stop();
  assertAllowed(failures, cell);
  await Promise.all([cast.old.exit(), cast.new.exit()]);
  // The third went through the same, and nothing went wrong.
  if (left !== undefined) await assertOpen(third, left);
  return { served, answered, allowed: failures.length };
}

/** Starts the successor and lets it happen; a process that it has stopped goes on. */
async function strike(stage: Stage, old: Actor, cell: Cell): Promise<Cast> {
  const { side, state, how, at } = cell;
  const told = at.frame === undefined && at.atBoot !== true;
  if (!told) {
    const cast = { old, new: await stage.enter(side === 'new' ? { fault: { how, ...at } } : {}) };
    if (how === 'SIGSTOP') await wakeUp(cast, cell);
    return cast;
  }
  if (state === 'hello') {
    await old.call('strike', { how });
    return { old, new: await stage.enter() };
  }
  return state === 'warm' ? await strikeWarm(stage, old, cell) : await strikeDraining(stage, old, cell);
}

/** The holder waits for READY and says nothing by itself. */
async function strikeWarm(stage: Stage, old: Actor, cell: Cell): Promise<Cast> {
  const cast = { old, new: await stage.enter({ mode: 'manual', fault: { how: cell.how } }) };
  await cast.new.event('warm');
  const struck = old.call('strike', { how: cell.how }).catch(() => {}); // it may be gone before it can say so
  if (cell.how === 'SIGSTOP') await isStopped(old.pid);
  else await struck;
  try {
    await cast.new.call('ready');
  } catch {
    await cast.new.call('give up');
  }
  if (cell.how === 'SIGSTOP') process.kill(old.pid, 'SIGCONT');
  await struck;
  return cast;
}

/** The successor owns everything, and has nothing more to say; a slow request keeps the holder. */
async function strikeDraining(stage: Stage, old: Actor, cell: Cell): Promise<Cast> {
  const slow = httpClient({ port: portOf(old) }).ask('/slow');
  await old.event('slow');
  const cast = { old, new: await stage.start({ fault: { how: cell.how } }) };
  await old.event('superseded');
  const done = cast.new.call('strike', { how: cell.how });
  if (cell.how === 'SIGSTOP') await wakeUp(cast, cell);
  await done;
  await old.call('release');
  assert.equal(await slow, old.pid);
  return cast;
}

/** Stopped processes go on when the other one has noticed; where it cannot, at once. */
async function wakeUp(cast: Cast, { side, state }: Cell): Promise<void> {
  await isStopped(cast[side].pid);
  if (side === 'old') await Promise.race([cast.new.event('failed'), cast.new.event('confirmed')]);
  else if (!['boot', 'hello', 'drain'].includes(state)) {
    const { old } = cast;
    await Promise.race([old.event('aborted'), old.event('rolledback'), old.event('superseded')]);
  }
  process.kill(cast[side].pid, 'SIGCONT');
}

/** proc_pid_stat(5): T. The state comes behind the name in parentheses. */
async function isStopped(pid: number): Promise<void> {
  await within(`the stop of process ${pid}`, async () => {
    while (!/\) T /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'))) await nextTurn();
  });
}

async function settled(cast: Cast, { wins }: Cell): Promise<Side> {
  const confirmed = await cast.new.event('confirmed').then(
    () => true,
    (error) => {
      if (cast.new.alive) throw error;
      return false;
    },
  );
  const served = confirmed ? 'new' : 'old';
  if (wins !== 'either') assert.equal(served, wins);
  if (served === 'new') await Promise.race([cast.old.event('superseded'), cast.old.gone]);
  return served;
}

async function relieve(actor: Actor): Promise<void> {
  try {
    await actor.call('relieve');
  } catch {
    return; // it has ended already
  }
  spawnSync('prlimit', ['--pid', `${actor.pid}`, '--nofile=1024:', '--fsize=unlimited:'], {
    stdio: 'ignore',
  });
}

/** When it has seen that its predecessor has gone, and has closed its end of their connection. */
async function inventoryAlone(actor: Actor): Promise<string[]> {
  return await within('the end of the control connection', async () => {
    for (;;) {
      const found = await actor.call<string[]>('inventory');
      if (!found.includes('socket seqpacket')) return found;
    }
  });
}

/** Descriptors are closed when the event is over that they came with: soon, but not at once. */
async function assertOpen(actor: Actor, expected: string[]): Promise<void> {
  let found: string[] = [];
  try {
    await within('the descriptors', async () => {
      do found = await actor.call<string[]>('inventory');
      while (found.toSorted().join() !== expected.toSorted().join());
    });
  } catch {
    assert.deepEqual(found.toSorted(), expected.toSorted(), `process ${actor.pid} has leaked`);
  }
}

/** The pid file names who serves, once that one has noticed; where it cannot be written, it is whole all the same. */
async function assertNamed(stage: Stage, cast: Cast, served: Side, { how }: Cell): Promise<void> {
  const names = isStarving(how) ? [cast.old, cast.new] : [cast[served]];
  await within(`a pid file that names ${names.map(({ pid }) => pid).join(' or ')}`, async () => {
    const isNamed = (text: string): boolean => names.some(({ pid }) => text === `${pid}\n`);
    while (!isNamed(readFileSync(stage.file('pid'), 'utf8'))) await nextTurn();
  });
}

function assertAllowed(failures: string[], { how }: Cell): void {
  const most = isDeadly(how) ? WORKERS : how === 'no descriptors' ? Number.POSITIVE_INFINITY : 0;
  const wrong = failures.filter((text) => !CUT.test(text));
  assert.deepEqual(failures.length > most ? failures : wrong, []);
}
