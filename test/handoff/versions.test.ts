// Versions of the protocol: a process of today takes over from the first version and hands over to it, under load.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { Receipt } from 'fdpass';
import { httpClient, Load } from '../helpers/clients';
import { RawPeer } from '../helpers/raw-peer';
import { type Actor, portOf, Stage } from '../helpers/stage';

const VERSION_1 = { fixture: 'handoff-server-1' };

function loadOn(actor: Actor): Load {
  const target = { port: portOf(actor) };
  return new Load([
    ...Array.from({ length: 4 }, () => httpClient(target)),
    ...Array.from({ length: 2 }, () => httpClient(target, { keepAlive: false })),
  ]);
}

test('version 1, today, version 1 and today follow each other without a failed request', async (t) => {
  const stage = await Stage.open(t, { probation: { ms: 200, interval: 50 } });
  let current = await stage.start({}, VERSION_1);
  const load = loadOn(current);
  for (const options of [{}, VERSION_1, {}]) {
    await load.served(current.pid);
    const successor = await stage.start({}, options);
    await current.event('superseded');
    assert.equal(await current.exit(), 0);
    current = successor;
  }
  assert.equal((await current.event('ready'))['generation'], 4);
  await load.served(current.pid);
  const { failures, byPid } = await load.stop();
  assert.deepEqual(failures, []);
  assert.equal(byPid.size, 4);
});

test('upgrade() to a program that speaks version 1 only ends at once: it knows no probation', async (t) => {
  const stage = await Stage.open(t, { probation: { ms: 60_000 } });
  const first = await stage.start();
  const program = { args: [stage.fixture(VERSION_1.fixture)] };
  const receipt = await first.call<Receipt>('upgrade', stage.options({}, program));
  const successor = await stage.next();
  assert.equal(receipt.pid, successor.pid);
  assert.equal(await first.exit(), 0);
  assert.equal(await httpClient({ port: portOf(first) }).ask(), successor.pid);
});

test('a successor of version 1 that dies before it accepts costs nothing', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const peer = new RawPeer(stage.control, 1);
  await peer.advance('commit');
  await peer.close();
  await first.event('aborted');
  assert.equal(await httpClient({ port: portOf(first) }).ask(), first.pid);
});
