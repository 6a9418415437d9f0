// upgrade() with real processes: what a successor can do wrong costs nothing, and a good one takes over unseen.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import type { Receipt } from 'fdpass';
import type { Mode } from '../fixtures/handoff-server';
import { httpClient, Load } from '../helpers/clients';
import { SLOWNESS } from '../helpers/slowness';
import { type Actor, type Failure, portOf, Stage } from '../helpers/stage';

function loadOn(actor: Actor): Load {
  const target = { port: portOf(actor) };
  return new Load([
    ...Array.from({ length: 4 }, () => httpClient(target)),
    ...Array.from({ length: 2 }, () => httpClient(target, { keepAlive: false })),
  ]);
}

test('five restarts by upgrade() under load cost no request', async (t) => {
  const stage = await Stage.open(t);
  let current = await stage.start();
  const load = loadOn(current);
  for (let generation = 2; generation <= 6; generation++) {
    await load.served(current.pid);
    const successor = await stage.upgrade(current);
    assert.equal(await current.exit(), 0, 'the old process ends by itself');
    assert.equal((await successor.event('ready'))['generation'], generation);
    current = successor;
  }
  await load.served(current.pid);
  const { failures, byPid } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(byPid.size, 6);
});

test('five unrelated processes take over one after the other under load and cost no request', async (t) => {
  const stage = await Stage.open(t);
  let current = await stage.start();
  const load = loadOn(current);
  for (let generation = 2; generation <= 6; generation++) {
    await load.served(current.pid);
    const successor = await stage.start();
    const { receipt } = (await current.event('superseded')) as unknown as { receipt: Receipt };
    assert.equal(receipt.pid, successor.pid);
    assert.equal(receipt.generation, generation);
    assert.equal(await current.exit(), 0);
    current = successor;
  }
  await load.served(current.pid);
  assert.deepEqual((await load.stop()).failures, []);
});

test('an abstract control address works as a path does', async (t) => {
  const stage = await Stage.open(t, { address: `@fdpass-test-${process.pid}` });
  const first = await stage.start();
  const second = await stage.upgrade(first);
  assert.equal(await first.exit(), 0);
  const third = await stage.start();
  assert.equal((await third.event('ready'))['generation'], 3);
  assert.equal(await second.exit(), 0);
});

/** The old process answers, may be upgraded, and nothing of the attempt is left. */
async function assertServesOn(stage: Stage, actor: Actor): Promise<void> {
  const client = httpClient({ port: portOf(actor) }, { keepAlive: false });
  assert.equal(await client.ask(), actor.pid);
  const successor = await stage.upgrade(actor, { mode: 'normal' });
  assert.equal(await client.ask(), successor.pid);
}

const deaths: [what: string, mode: Mode, exitCode: number, stderr: RegExp][] = [
  ['exits while it boots', 'exit-at-boot', 7, /^no configuration\n$/],
  ['exits after it has inherited', 'exit-when-warm', 8, /^x{8000,}\nmigration failed\n$/],
  ['throws after it has inherited', 'throw-when-warm', 1, /Error: warm-up failed/],
];
for (const [what, mode, exitCode, stderr] of deaths) {
  test(`a successor that ${what} is reported with its exit code and stderr, and the old process serves on`, async (t) => {
    const stage = await Stage.open(t);
    const first = await stage.start();
    const attempt = first.call('upgrade', stage.options({ mode }));
    const failure = (await attempt.catch((error) => error)) as Failure;
    assert.equal(failure.code, 'ERR_HANDOFF_SUCCESSOR_EXITED');
    assert.equal(failure.exitCode, exitCode);
    assert.match(failure.stderr ?? '', stderr);
    assert.ok((failure.stderr ?? '').length <= 8192);
    await stage.next();
    await assertServesOn(stage, first);
  });
}

for (const mode of ['hang-at-boot', 'manual'] as const) {
  test(`a successor that is never ready (${mode}) is killed after timeouts.warm`, async (t) => {
    const stage = await Stage.open(t, { timeouts: { warm: 2000 * SLOWNESS } });
    const first = await stage.start();
    const attempt = assert.rejects(first.call('upgrade', stage.options({ mode })), {
      code: 'ERR_HANDOFF_TIMEOUT',
    });
    const successor = await stage.next();
    await attempt;
    assert.ok(!existsSync(`/proc/${successor.pid}`), 'a process is left');
    const second = await stage.upgrade(first, { timeouts: {} });
    assert.equal(await httpClient({ port: portOf(first) }, { keepAlive: false }).ask(), second.pid);
  });
}

test('a successor that asks for time by extend() gets so much from then on, instead of timeouts.warm', async (t) => {
  const stage = await Stage.open(t); // 60 s: this test would not live to see the end of them
  const first = await stage.start();
  const attempt = first.call('upgrade', stage.options({ mode: 'manual' })).catch((error: Failure) => error);
  const successor = await stage.next();
  await successor.event('warm');
  await successor.call('extend', { ms: 100_000 });
  await successor.call('extend', { ms: 20 });
  const failure = (await attempt) as Failure;
  assert.equal(failure.code, 'ERR_HANDOFF_TIMEOUT');
  assert.match(failure.message, /not ready within 20 ms, which it had asked for|in time in state warm/);
  const second = await stage.enter({ mode: 'manual' });
  await second.event('warm');
  await second.call('extend', { ms: 20 });
  await first.event('aborted');
});

test('extend() belongs before ready()', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.enter({ mode: 'manual' });
  await first.event('warm');
  await first.call('extend', { ms: 1 }); // nobody waits: it does nothing
  await first.call('ready');
  await assert.rejects(first.call('extend', { ms: 1 }), { code: 'ERR_HANDOFF_STATE' });
});

test('a successor that is killed while it warms up is reported with the signal', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const attempt = first
    .call('upgrade', stage.options({ mode: 'manual' }))
    .catch((error: Failure & { signal: string }) => error);
  const successor = await stage.next();
  await successor.event('warm');
  await successor.kill('SIGKILL');
  const failure = (await attempt) as Failure & { signal: string };
  assert.equal(failure.code, 'ERR_HANDOFF_SUCCESSOR_EXITED');
  assert.equal(failure.signal, 'SIGKILL');
  await assertServesOn(stage, first);
});

test('an upgrade aborted by its signal kills the successor and leaves the old process serving', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const attempt = assert.rejects(first.call('upgrade', stage.options({ mode: 'manual' })), {
    code: 'ABORT_ERR',
  });
  const successor = await stage.next();
  await successor.event('warm');
  await first.call('abort');
  await attempt;
  assert.ok(!existsSync(`/proc/${successor.pid}`), 'a process is left');
  await assertServesOn(stage, first);
});

test('an upgrade whose signal has aborted already starts nothing that stays', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const before = await first.call<number>('descriptors');
  for (let i = 0; i < 3; i++) {
    const attempt = first.call('upgrade', stage.options({ mode: 'manual' }));
    const rejected = assert.rejects(attempt, { code: 'ABORT_ERR' });
    await first.call('abort');
    await rejected;
  }
  assert.equal(await first.call('descriptors'), before);
});

test('a command that cannot be started is reported as such, and the old process serves on', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const attempt = first.call('upgrade', { options: { command: stage.file('no such program') } });
  await assert.rejects(attempt, { code: 'ERR_HANDOFF_SPAWN', message: /ENOENT/ });
  await assertServesOn(stage, first);
});

test('a second upgrade() while one is in progress is told who is first', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const attempt = first.call('upgrade', stage.options({ mode: 'manual' }));
  const successor = await stage.next();
  await successor.event('warm');
  const failure = (await first.call('upgrade', stage.options()).catch((error) => error)) as Failure;
  assert.equal(failure.code, 'ERR_HANDOFF_BUSY');
  assert.equal(failure.pid, successor.pid);
  assert.equal(failure.state, 'warm');
  assert.ok((failure.ageMs ?? -1) > 0);
  await Promise.all([successor.call('ready'), attempt]);
});

test('an unrelated process that comes while an upgrade is in progress is told who is first', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const attempt = first.call('upgrade', stage.options({ mode: 'manual' }));
  const successor = await stage.next();
  await successor.event('warm');
  const late = await stage.enter();
  const { error } = (await late.event('failed')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_BUSY');
  assert.equal(error.pid, successor.pid);
  assert.equal(error.state, 'warm');
  assert.ok((error.ageMs ?? -1) > 0);
  assert.equal(await late.exit(), 1);
  await Promise.all([successor.call('ready'), attempt]);
});

test('a process that is not ready yet can be neither upgraded nor taken over from', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.enter({ mode: 'manual' });
  await first.event('warm');
  await assert.rejects(first.call('upgrade', stage.options()), { code: 'ERR_HANDOFF_STATE' });
  const late = await stage.enter();
  const { error } = (await late.event('failed')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_BUSY');
  assert.equal(error.pid, first.pid);
  await first.call('ready');
  await stage.start();
});

test('a process that has been superseded refuses to be upgraded', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const slow = httpClient({ port: portOf(first) }).ask('/slow');
  await first.event('slow');
  await stage.upgrade(first);
  await assert.rejects(first.call('upgrade', stage.options()), { code: 'ERR_HANDOFF_STATE' });
  await first.call('release');
  assert.equal(await slow, first.pid);
});

test('the stderr of a successor outlives its predecessor', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const second = await stage.upgrade(first);
  assert.equal(await first.exit(), 0);
  await second.call('stderr', { text: 'the second generation speaks' });
  await stage.stderrHas('the second generation speaks');
  const third = await stage.upgrade(second);
  assert.equal(await second.exit(), 0);
  await third.call('stderr', { text: 'and so does the third' });
  await stage.stderrHas('and so does the third');
});

test('a successor whose predecessor dies has its own stderr at once, and boots on', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  first.call('upgrade', stage.options({ mode: 'manual' })).catch(() => {}); // it dies
  const second = await stage.next();
  await second.event('warm');
  await first.kill();
  await second.call('status'); // it has seen the end of the connection by now
  await second.call('stderr', { text: 'the orphan speaks' });
  await stage.stderrHas('the orphan speaks');
  await second.call('ready');
  await second.event('confirmed');
});

test('a successor does not see the variables that brought it here', async (t) => {
  const stage = await Stage.open(t);
  const second = await stage.upgrade(await stage.start());
  assert.deepEqual(await second.call('environment'), []);
});

test('failed upgrades leave no descriptor in the old process', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const fail = async (): Promise<void> => {
    await assert.rejects(first.call('upgrade', stage.options({ mode: 'exit-when-warm' })));
    await stage.next();
  };
  await fail();
  const before = await first.call<number>('descriptors');
  for (let i = 0; i < 5; i++) await fail();
  assert.equal(await first.call('descriptors'), before);
});
