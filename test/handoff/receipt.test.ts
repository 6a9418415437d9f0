// The receipt: what an upgrade tells, in both processes, when it is decided and when the old one has gone.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import type { Receipt } from 'fdpass';
import { ReceiptDraft, readReceipt } from '#fdpass/handoff/receipt';
import { httpClient } from '../helpers/clients';
import { type Actor, portOf, Stage, web } from '../helpers/stage';

async function receiptOf(actor: Actor, event: string): Promise<Receipt> {
  return ((await actor.event(event)) as unknown as { receipt: Receipt }).receipt;
}

test('the receipt says who, how long each state took, what became of the listeners, and what was accepted', async (t) => {
  const probation = { ms: 60, interval: 20 };
  const stage = await Stage.open(t, { probation });
  const elsewhere = { path: stage.file('elsewhere') };
  const first = await stage.start({ listeners: ['kept', 'dropped', 'moved'].map((name) => web({ name })) });
  for (let i = 0; i < 3; i++) await httpClient({ port: portOf(first, 'kept') }, { keepAlive: false }).ask();
  const listeners = [
    web({ name: 'kept' }),
    web({ name: 'added' }),
    web({ name: 'moved', options: elsewhere }),
  ];
  const receipt = await first.call<Receipt>('upgrade', stage.options({ listeners }));
  const second = await stage.next();

  assert.equal(receipt.pid, second.pid);
  assert.equal(receipt.generation, 2);
  assert.deepEqual(receipt.predecessor, { pid: first.pid, generation: 1 });
  assert.deepEqual(receipt.listeners, {
    inherited: ['kept'],
    bound: ['added', 'moved'],
    closed: ['dropped', 'moved'],
  });
  assert.deepEqual(receipt.accepted, { predecessor: 3, successor: 0 });
  const names = ['hello', 'offer', 'fds', 'warm', 'ping', 'commit', 'probation', 'final'];
  assert.deepEqual(Object.keys(receipt.states), names);
  assert.ok((receipt.states['probation'] as number) >= probation.ms);
  assert.ok(Object.values(receipt.states).every((ms) => ms >= 0));
  assert.ok(receipt.connectToReadyMs > 0 && receipt.readyToStoppedMs > 0);
  assert.ok(receipt.startToReadyMs >= receipt.connectToReadyMs);
  assert.ok(receipt.overlapMs >= 0 && receipt.overlapMs < receipt.readyToStoppedMs);
  for (const bytes of Object.values(receipt.memory))
    assert.ok(bytes !== undefined && bytes > 10e6 && bytes < 1e9, `${bytes}`);
  assert.equal(receipt.drain, undefined, 'the old one drains still');
});

test('how the old process ended is told in both', async (t) => {
  const stage = await Stage.open(t, { timeouts: { drain: 150 } });
  const first = await stage.start();
  const silent = net.connect(portOf(first), '127.0.0.1');
  await once(silent, 'connect');
  silent.on('error', () => {});
  await httpClient({ port: portOf(first) }, { keepAlive: false }).ask(); // behind the silent one
  const second = await stage.start();
  const told = await receiptOf(second, 'settled');
  const own = await receiptOf(first, 'drained');
  assert.ok(typeof told.drain === 'object' && typeof own.drain === 'object');
  assert.equal(told.drain.forced, 1);
  assert.ok(told.drain.ms >= 150);
  assert.deepEqual(told.drain, own.drain);
  assert.deepEqual(told.accepted, own.accepted);
  assert.deepEqual(told.listeners, own.listeners);
  silent.destroy();
});

test('an old process that dies on probation leaves a receipt all the same, which says so', async (t) => {
  const stage = await Stage.open(t, { probation: { ms: 60_000, interval: 1_000 } });
  const first = await stage.start();
  const second = await stage.enter();
  await second.event('ready');
  await first.kill();
  const receipt = await receiptOf(second, 'settled');
  assert.equal(receipt.drain, 'died');
  assert.deepEqual([receipt.pid, receipt.predecessor.pid], [second.pid, first.pid]);
  assert.ok(receipt.connectToReadyMs > 0);
});

test('an old process that is killed while it drains has died, says the receipt', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const silent = net.connect(portOf(first), '127.0.0.1');
  await once(silent, 'connect');
  silent.on('error', () => {});
  await httpClient({ port: portOf(first) }, { keepAlive: false }).ask();
  const second = await stage.start();
  await second.event('confirmed');
  await first.kill();
  assert.equal((await receiptOf(second, 'settled')).drain, 'died');
  silent.destroy();
});

test('what a predecessor calls a receipt and is none is ignored', () => {
  for (const value of [undefined, null, 5, 'receipt', [], {}, { pid: 1, generation: 2, listeners: 'all' }]) {
    assert.equal(readReceipt(value), undefined);
  }
});

test('a state that is entered twice in a row is one', () => {
  let now = 0;
  const draft = new ReceiptDraft(() => now, 'hello');
  now = 5;
  draft.enter('hello');
  now = 7;
  draft.enter('offer');
  const parties = { pid: 2, generation: 2, predecessor: { pid: 1, generation: 1 } };
  const { states, listeners } = draft.receipt(parties, ['web'], { predecessor: 0, successor: undefined });
  assert.deepEqual(states, { hello: 7 });
  assert.deepEqual(listeners.inherited, ['web'], 'a successor of version 1 inherits everything');
});
