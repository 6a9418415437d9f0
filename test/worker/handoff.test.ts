// createHandoff() in a worker of a pool, beside a primary that the test plays.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Receipt } from 'fdpass';
import { httpClient } from '../helpers/clients';
import { FakePrimary, type Worker } from './fake-primary';

const RECEIPT: Receipt = {
  pid: 1,
  generation: 8,
  predecessor: { pid: 2, generation: 7 },
  startToReadyMs: 1,
  connectToReadyMs: 1,
  readyToStoppedMs: 1,
  overlapMs: 1,
  states: {},
  listeners: { inherited: ['web'], bound: [], closed: [] },
  accepted: { predecessor: 0, successor: 0 },
  memory: { predecessor: 0, successor: 0 },
};

const plan = (given: object): { args: string[] } => ({ args: [JSON.stringify(given)] });

async function serving(worker: Worker): Promise<Worker> {
  await worker.says('listens');
  worker.child.write('ready\n');
  await worker.hears('ready');
  return worker;
}

test('a worker serves on the listener of its primary, is confirmed, and is superseded', async (t) => {
  const primary = new FakePrimary(t);
  const worker = primary.start();
  assert.deepEqual(await worker.tells('begun'), { generation: 7, variables: [] });
  assert.deepEqual(await worker.tells('listens'), { listening: false });
  assert.deepEqual(primary.asked, [
    { name: 'web', place: { kind: 'stream', host: '127.0.0.1', port: 0, backlog: 511 } },
  ]);
  worker.child.write('ready\n');
  await worker.hears('ready');
  const client = httpClient({ port: primary.port('web') });
  assert.equal(await client.ask(), worker.child.process.pid);
  worker.child.write('status\n');
  const { state, listeners } = await worker.tells('status:');
  assert.equal(state, 'probation');
  assert.deepEqual(
    listeners.map(({ name, inherited, connections }: Record<string, unknown>) => ({
      name,
      inherited,
      connections,
    })),
    [{ name: 'web', inherited: true, connections: 1 }],
  );
  worker.say({ type: 'confirmed' });
  await worker.says('confirmed');
  worker.say({ type: 'stop', drainMs: 20_000, receipt: RECEIPT });
  assert.deepEqual(await worker.tells('superseded'), RECEIPT);
  assert.equal(await client.ask(), worker.child.process.pid, 'it answers, and says Connection: close');
  client.close();
  const { closed, forced, ms } = await worker.hears('bye');
  assert.deepEqual({ closed, forced }, { closed: 1, forced: 0 });
  const { drain } = await worker.tells('drained');
  assert.deepEqual(drain, { closed: 1, forced: 0, ms });
  await worker.ends();
  const { code, signal } = await worker.child.ended;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('two workers share one listener, and one that leaves takes nothing away', async (t) => {
  const primary = new FakePrimary(t);
  const one = await serving(primary.start());
  const other = await serving(primary.start());
  assert.equal(primary.listeners.size, 1);
  one.child.write('close\n');
  await one.hears('leaving');
  one.say({ type: 'stop', drainMs: 10_000 });
  await one.hears('bye');
  assert.equal((await one.child.ended).code, 0);
  const client = httpClient({ port: primary.port('web') });
  assert.equal(await client.ask(), other.child.process.pid);
  client.close();
});

test('what is open when the limit of the stop is over is cut, and told', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start(plan({ answerMs: 60_000 })));
  const client = httpClient({ port: primary.port('web') });
  const asked = client.ask().catch((error: NodeJS.ErrnoException) => error.code);
  while ((await figures(worker))['connections'] === 0);
  worker.say({ type: 'stop', drainMs: 50 });
  const { pid, generation } = await worker.tells('superseded');
  assert.deepEqual({ pid, generation }, { pid: process.pid, generation: 7 }, 'nobody takes its place');
  const { closed, forced } = await worker.hears('bye');
  assert.deepEqual({ closed, forced }, { closed: 0, forced: 1 });
  assert.equal(await asked, 'ECONNRESET');
  client.close();
  assert.equal((await worker.child.ended).code, 0);
});

let sequence = 0;
async function figures(worker: Worker): Promise<Record<string, number>> {
  worker.say({ type: 'ping', sequence: ++sequence });
  return (await worker.hears('pong')).figures as Record<string, number>;
}

test('a worker tells its figures', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  const client = httpClient({ port: primary.port('web') });
  await client.ask();
  await client.ask();
  const { ageMs, connections, accepted, requests, loopLagMs, rssBytes, cpuMs } = await figures(worker);
  assert.deepEqual({ connections, accepted, requests }, { connections: 1, accepted: 1, requests: 2 });
  for (const positive of [ageMs, rssBytes, cpuMs]) assert.ok((positive as number) > 0);
  assert.ok((loopLagMs as number) >= 0);
  worker.child.write('block 300\n');
  await worker.says('block:');
  assert.ok(((await figures(worker))['loopLagMs'] as number) > 250, 'a stuck loop is seen');
  client.close();
});

test('what the health check complains of is told', async (t) => {
  const primary = new FakePrimary(t);
  const sick = primary.start(plan({ sick: true }));
  await sick.says('listens');
  sick.say({ type: 'ping', sequence: 5 });
  const { sequence: answered, unwell } = await sick.hears('pong');
  assert.deepEqual({ answered, unwell }, { answered: 5, unwell: 'the health check said false' });
});

test('a refused listener fails as it would without a pool', async (t) => {
  const primary = new FakePrimary(t);
  primary.obliging = false;
  const worker = primary.start();
  await worker.hears('hello');
  worker.say({ type: 'welcome', version: 1, worker: 2, generation: 1, pid: process.pid });
  const { request } = await worker.hears('listen');
  const message = 'bind EADDRINUSE 127.0.0.1:80 (held by process 5: nginx)';
  const fields = { code: 'EADDRINUSE', errno: -98, syscall: 'bind', address: '127.0.0.1:80', message };
  worker.say({ type: 'refused', request, ...fields });
  assert.deepEqual(await worker.tells('failed'), fields);
  assert.equal((await worker.child.ended).code, 1);
});

test('fail() on probation gives the place back, and the worker ends with 1', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  worker.child.write('fail too many errors\n');
  assert.equal((await worker.hears('fail')).reason, 'too many errors');
  assert.match(await worker.says('rolledback'), /too many errors/);
  await worker.hears('bye');
  assert.equal((await worker.child.ended).code, 1);
});

test('fail() of a worker that is confirmed is refused', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  worker.say({ type: 'confirmed' });
  await worker.says('confirmed');
  worker.child.write('fail late\n');
  assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_STATE');
});

test('upgrade() asks for a roll, and gives the receipt with which this worker is replaced', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  worker.child.write('upgrade\n');
  await worker.hears('roll');
  worker.say({ type: 'stop', drainMs: 1_000, receipt: RECEIPT });
  assert.deepEqual(await worker.tells('upgrade:'), RECEIPT);
  assert.equal((await worker.child.ended).code, 0);
});

test('upgrade() rejects with what the primary says of a roll that failed, and the worker serves on', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  worker.child.write('upgrade\n');
  await worker.hears('roll');
  worker.say({ type: 'unrolled', code: 'ERR_HANDOFF_BUSY', reason: 'a roll is under way' });
  const { code, message } = await worker.tells('failed');
  assert.deepEqual({ code, message }, { code: 'ERR_HANDOFF_BUSY', message: 'a roll is under way' });
  const client = httpClient({ port: primary.port('web') });
  assert.equal(await client.ask(), worker.child.process.pid);
  client.close();
});

test('restartOn of a worker asks for a roll', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start(plan({ handoff: { restartOn: 'SIGHUP' } })));
  worker.child.process.kill('SIGHUP');
  await worker.hears('roll');
});

test('a listener that comes behind ready() is refused, as listen() after ready() is', async (t) => {
  const primary = new FakePrimary(t);
  primary.obliging = false;
  const worker = primary.start();
  await worker.hears('hello');
  worker.say({ type: 'welcome', version: 1, worker: 1, generation: 1, pid: process.pid });
  const listen = await worker.hears('listen');
  worker.child.write('ready\n');
  await worker.hears('ready');
  await primary.oblige(worker, listen);
  assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_STATE');
});

test('UDP sockets come from the primary, too', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start(plan({ udp: true })));
  assert.deepEqual(primary.asked[1], {
    name: 'udp',
    place: { kind: 'udp', type: 'udp4', port: 0, address: '127.0.0.1' },
  });
  const { createSocket } = await import('node:dgram');
  const client = createSocket('udp4').unref();
  client.send('hello', primary.port('udp'), '127.0.0.1', () => client.close());
  assert.equal(await worker.says('datagram'), 'hello');
});

test('listen() after ready(), put(), and a second handoff are what they are elsewhere', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  worker.child.write('listen\n');
  assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_STATE');
  worker.child.write('put\n');
  assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_WORKER');
  worker.child.write('second\n');
  await worker.says('second:');
  assert.equal(primary.asked.length, 1);
});

test('a variable that names something else than our end of a link makes no worker', async (t) => {
  const primary = new FakePrimary(t);
  primary.obliging = false;
  const address = `@alone-${process.pid}`;
  const worker = primary.start({ ...plan({ handoff: { address } }), env: { FDPASS_LINK: '3:1' } });
  assert.deepEqual(await worker.tells('begun'), { generation: 1, variables: [] });
  await worker.says('listens');
  worker.child.write('ready\n');
  await worker.says('ready:');
  worker.child.write('close\n');
  assert.equal((await worker.child.ended).code, 0);
});
