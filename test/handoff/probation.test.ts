// Probation: for a time after the switch the old process stands by, and takes over again when the new one is no good.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import { createHandoff, type HandoffStatus, type Receipt } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { httpClient, Load } from '../helpers/clients';
import { RawPeer } from '../helpers/raw-peer';
import { type Actor, type Failure, portOf, type Script, Stage, web } from '../helpers/stage';
import type { Ending } from '../helpers/tmp-dir';

/** Longer than any test: it ends because something happens. */
const LONG = { ms: 60_000, interval: 20 };

function loadOn(t: Ending, actor: Actor): Load {
  const target = { port: portOf(actor) };
  const load = new Load([
    ...Array.from({ length: 4 }, () => httpClient(target)),
    ...Array.from({ length: 2 }, () => httpClient(target, { keepAlive: false })),
  ]);
  t.after(async () => void (await load.stop()));
  return load;
}

async function ask(actor: Actor): Promise<number> {
  return await httpClient({ port: portOf(actor) }, { keepAlive: false }).ask();
}

async function stateOf(actor: Actor): Promise<string> {
  return (await actor.call<HandoffStatus>('status')).state;
}

/** An upgrade() that is under way: its successor serves, on probation. */
async function onProbation(stage: Stage, first: Actor, script: Script = {}) {
  const settled = first.call<Receipt>('upgrade', stage.options(script)).catch((error: Failure) => error);
  const second = await stage.next();
  await second.event('ready');
  return { second, failure: settled as Promise<Failure>, receipt: settled as Promise<Receipt> };
}

/** Serves as if nothing had been, and can be replaced. */
async function assertServesAgain(stage: Stage, actor: Actor): Promise<void> {
  assert.equal(await stateOf(actor), 'serving');
  assert.equal(await ask(actor), actor.pid);
  const successor = await stage.upgrade(actor, { probation: { ms: 0 } });
  assert.equal(await ask(actor), successor.pid);
  assert.equal(await actor.exit(), 0);
}

test('on probation the new process serves, the old one stands by, and both tell others that they are busy', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const { second, receipt } = await onProbation(stage, first);
  for (let i = 0; i < 10; i++) assert.equal(await ask(first), second.pid);
  assert.equal(await stateOf(first), 'standby');
  assert.equal(await stateOf(second), 'probation');
  for (const actor of [first, second])
    await assert.rejects(actor.call('upgrade', stage.options()), { code: 'ERR_HANDOFF_BUSY' });
  for (let i = 0; i < 10; i++) {
    const late = await stage.enter();
    const { error } = (await late.event('failed')) as unknown as { error: Failure };
    assert.equal(error.code, 'ERR_HANDOFF_BUSY');
    assert.equal(error.state, 'probation');
  }
  await first.call('close'); // does not wait for the rest of it
  assert.equal((await receipt).pid, second.pid);
  await second.event('confirmed');
  assert.equal(await stateOf(second), 'serving');
  assert.equal(await first.exit(), 0);
  assert.equal(await ask(first), second.pid);
});

test('a probation that passes costs no request, has health checks all the time, and ends in the takeover', async (t) => {
  const stage = await Stage.open(t, { probation: { ms: 200, interval: 20 } });
  const first = await stage.start();
  const load = loadOn(t, first);
  await load.served(first.pid);
  const { second, receipt } = await onProbation(stage, first);
  assert.equal((await receipt).generation, 2);
  await second.event('confirmed');
  const checks = second.reports.filter(({ event }) => event === 'checked').length;
  // 200 / 20, and what timers are off by.
  assert.ok(checks >= 2 && checks <= 12, `${checks} checks`);
  assert.equal(await first.exit(), 0);
  await load.served(second.pid);
  assert.deepEqual((await load.stop()).failures, []);
});

test('a new process that is killed on probation is succeeded by the old one', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const idle = httpClient({ port: portOf(first) });
  assert.equal(await idle.ask(), first.pid);
  const { second, failure } = await onProbation(stage, first);
  assert.equal(await ask(first), second.pid);
  await second.kill();
  // Nobody accepts for a moment: the kernel keeps who connects, and refuses nobody.
  assert.equal(await ask(first), first.pid);
  const error = (await failure) as Failure & { signal: string };
  assert.equal(error.code, 'ERR_HANDOFF_ROLLED_BACK');
  assert.equal(error.signal, 'SIGKILL');
  const told = (await first.event('rolledback')) as unknown as { error: Failure };
  assert.equal(told.error.code, 'ERR_HANDOFF_ROLLED_BACK');
  assert.equal(await idle.ask(), first.pid, 'the connections of the old process lived on');
  idle.close();
  await assertServesAgain(stage, first);
});

test('a new process that crashes on probation is reported with its exit code and stderr', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const { second, failure } = await onProbation(stage, first);
  await second.call('throw').catch(() => {});
  const error = await failure;
  assert.equal(error.code, 'ERR_HANDOFF_ROLLED_BACK');
  assert.equal(error.exitCode, 1);
  assert.match(error.stderr ?? '', /Error: broken in production/);
  await assertServesAgain(stage, first);
});

test('fail() gives the service back without a failed request: what is under way completes', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const load = loadOn(t, first);
  await load.served(first.pid);
  const { second, failure } = await onProbation(stage, first);
  await load.served(second.pid);
  const slow = httpClient({ port: portOf(first) }).ask('/slow');
  await second.event('slow');
  await second.call('fail', { reason: 'too many errors' });
  assert.equal(await ask(first), first.pid);
  const error = await failure;
  assert.equal(error.code, 'ERR_HANDOFF_ROLLED_BACK');
  assert.match(error.message, /too many errors/);
  await second.event('rolledback');
  assert.equal(await stateOf(second), 'closed');
  await second.call('release');
  assert.equal(await slow, second.pid);
  assert.equal(await second.exit(), 1, 'it ends by itself, and not as if all were well');
  assert.deepEqual((await load.stop()).failures, []);
  await assertServesAgain(stage, first);
});

test('fail() of an unrelated process gives the service back to the old one', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const second = await stage.start();
  await second.call('fail', { reason: 'no database' });
  const { error } = (await first.event('rolledback')) as unknown as { error: Failure };
  assert.match(error.message, /no database/);
  assert.equal(await second.exit(), 1);
  await assertServesAgain(stage, first);
});

test('fail() and close() at once all settle when the old process serves', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const second = await stage.start();
  const calls = ['fail', 'fail', 'close'].map((what) => second.call(what, { reason: 'no' }));
  for (const { status, ...rest } of await Promise.allSettled(calls)) {
    if (status === 'fulfilled') continue;
    // One that comes when all is over is told so, unless the process has ended before it could say it.
    const { code, message } = (rest as PromiseRejectedResult).reason;
    if (!/ ended without "reply"/.test(message)) assert.equal(code, 'ERR_HANDOFF_STATE');
  }
  await first.event('rolledback');
  assert.equal(await second.exit(), 1);
});

test('fail() belongs on probation', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  await assert.rejects(first.call('fail', { reason: 'no' }), { code: 'ERR_HANDOFF_STATE' });
});

test('a health check that says no gives the service back', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const { second, failure } = await onProbation(stage, first);
  await second.event('checked');
  await second.call('health', { value: false });
  const error = await failure;
  assert.equal(error.code, 'ERR_HANDOFF_ROLLED_BACK');
  assert.match(error.message, /the health check said false/);
  assert.equal(await second.exit(), 1);
  await assertServesAgain(stage, first);
});

test('a new process that hangs on probation is given up, and killed by the one that started it', async (t) => {
  const stage = await Stage.open(t, { probation: LONG, timeouts: { ping: 700 } });
  const first = await stage.start();
  const { second, failure } = await onProbation(stage, first);
  await second.kill('SIGSTOP');
  assert.equal((await failure).code, 'ERR_HANDOFF_ROLLED_BACK');
  await second.gone;
  assert.equal(await ask(first), first.pid);
  await assertServesAgain(stage, first);
});

test('an unrelated new process that hung on probation steps down when it wakes up', async (t) => {
  const stage = await Stage.open(t, { probation: LONG, timeouts: { ping: 700 } });
  const first = await stage.start();
  const second = await stage.start();
  await second.kill('SIGSTOP');
  await first.event('rolledback');
  assert.equal(await ask(first), first.pid);
  await second.kill('SIGCONT');
  await second.event('rolledback');
  assert.equal(await second.exit(), 1);
  await assertServesAgain(stage, first);
});

test('an old process that dies while it stands by leaves the service to the new one', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const second = await stage.start();
  await first.kill();
  await second.event('confirmed');
  assert.equal(await ask(second), second.pid);
  await stage.upgrade(second, { probation: { ms: 0 } });
});

test('an old process that is stopped while it stands by is not waited for, and drains when it wakes up', async (t) => {
  const stage = await Stage.open(t, { probation: { ms: 60_000, interval: 50 } });
  const first = await stage.start();
  const second = await stage.start({ timeouts: { ping: 500, commit: 500 } }); // for whoever takes over, on a busy machine
  await first.kill('SIGSTOP');
  t.after(() => first.alive && process.kill(first.pid, 'SIGCONT'));
  await second.event('confirmed');
  const third = await stage.upgrade(second, { probation: { ms: 0 }, timeouts: {} });
  assert.equal(await second.exit(), 0);
  await first.kill('SIGCONT');
  assert.equal(await first.exit(), 0, 'it does not come back: another generation serves');
  assert.equal(await ask(third), third.pid);
});

test('a rollback that no listener hears is a process warning', async (t) => {
  const address = `@${freshName()}`;
  const handoff = await createHandoff({ name: 'unheard', address });
  t.after(() => handoff.close());
  await handoff.ready();
  const peer = new RawPeer(address, 2, 60_000);
  await peer.advance('probation');
  const warned = once(process, 'warning');
  await peer.close();
  const [warning] = (await warned) as [Failure];
  assert.equal(warning.code, 'ERR_HANDOFF_ROLLED_BACK');
});

test('an upgrade aborted by its signal on probation is rolled back', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const { second, failure } = await onProbation(stage, first);
  await first.call('abort');
  assert.equal((await failure).code, 'ERR_HANDOFF_ROLLED_BACK');
  assert.equal(await second.exit(), 1);
  await assertServesAgain(stage, first);
});

test('SIGTERM to a new process on probation gives the service back first', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const load = loadOn(t, first);
  const { second } = await onProbation(stage, first);
  await load.served(second.pid);
  await second.kill('SIGTERM');
  assert.equal(await second.exit(), 1);
  await load.served(first.pid);
  assert.deepEqual((await load.stop()).failures, []);
  await assertServesAgain(stage, first);
});

test('SIGTERM to both ends the service', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const { second } = await onProbation(stage, first);
  await Promise.all([first.kill('SIGTERM'), second.kill('SIGTERM')]);
  await Promise.all([first.exit(), second.exit()]);
  const [error] = (await once(net.connect(portOf(first), '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('what the new version does not want any more is served by the old one until the probation is over', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const listeners = [web({ name: 'kept' }), web({ name: 'dropped' })];
  const first = await stage.start({ listeners });
  const second = await stage.start({ listeners: [web({ name: 'kept' })] });
  const dropped = { port: portOf(first, 'dropped') };
  assert.equal(await httpClient(dropped, { keepAlive: false }).ask(), first.pid);
  assert.equal(await httpClient({ port: portOf(first, 'kept') }).ask(), second.pid);
  await first.call('close');
  assert.equal(await first.exit(), 0);
  const [error] = (await once(net.connect(dropped.port, '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('a new process that gives the service back leaves the files of the old one, and takes its own away', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const [old, own] = [stage.file('old'), stage.file('own')];
  const kept = web({ name: 'kept', options: { path: old } });
  const first = await stage.start({ listeners: [kept] });
  const second = await stage.start({ listeners: [kept, web({ name: 'more', options: { path: own } })] });
  const client = httpClient({ path: old }, { keepAlive: false });
  assert.equal(await client.ask(), second.pid);
  assert.ok(existsSync(own));
  await second.call('fail', { reason: 'no good' });
  assert.equal(await second.exit(), 1);
  assert.ok(existsSync(old) && existsSync(stage.control) && !existsSync(own));
  assert.equal(await client.ask(), first.pid);
  await first.call('close');
  assert.ok(!existsSync(old) && !existsSync(stage.control), 'the old one owns its names still');
});

test('rolling back again and again leaves no descriptor in the old process', async (t) => {
  const stage = await Stage.open(t, { probation: LONG });
  const first = await stage.start();
  const round = async (): Promise<number> => {
    const { second, failure } = await onProbation(stage, first);
    await second.call('fail', { reason: 'again' });
    await failure;
    await second.exit();
    return await first.call<number>('descriptors');
  };
  const before = await round();
  for (let i = 0; i < 3; i++) assert.equal(await round(), before);
});

test('of more than three processes the oldest has less time to drain', async (t) => {
  const stage = await Stage.open(t, { timeouts: { hurry: 100 } });
  const actors = [await stage.start()];
  const sockets: net.Socket[] = [];
  for (let generation = 1; generation <= 3; generation++) {
    const current = actors.at(-1) as Actor;
    const socket = net.connect(portOf(current), '127.0.0.1');
    await once(socket, 'connect');
    socket.on('error', () => {});
    sockets.push(socket);
    const polite = httpClient({ port: portOf(current) }, { keepAlive: false });
    assert.equal(await polite.ask(), current.pid); // the silent one before it is accepted, then
    if (generation === 3)
      assert.ok(
        actors.every(({ alive }) => alive),
        'three may be alive',
      );
    actors.push(await stage.start());
  }
  assert.equal(await actors[0]?.exit(), 0);
  assert.ok(actors[1]?.alive && actors[2]?.alive, 'the younger ones keep their time');
  for (const socket of sockets) socket.destroy();
  assert.equal(await actors[1]?.exit(), 0);
  assert.equal(await actors[2]?.exit(), 0);
});
