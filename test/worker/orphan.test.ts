// What a worker does when its primary is gone, or talks nonsense, in each state.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { type Fd, type UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { LINK_OPTIONS } from '#fdpass/worker/link';
import type { PrimaryMessage } from '#fdpass/worker/messages';
import { freshName } from '../helpers/address-name';
import { httpClient } from '../helpers/clients';
import type { Ending } from '../helpers/tmp-dir';
import { FakePrimary, Peer, type Worker } from './fake-primary';

const WELCOME: PrimaryMessage = { type: 'welcome', version: 1, worker: 3, generation: 4, pid: process.pid };

async function serving(worker: Worker): Promise<Worker> {
  await worker.says('listens');
  worker.child.write('ready\n');
  await worker.hears('ready');
  return worker;
}

/** Where workers come back to. */
function meetingPoint(t: Ending, address: string): UnixSeqpacketServer {
  const server = new UnixSeqpacketServer(LINK_OPTIONS);
  server.listen(address);
  t.after(() => server.close());
  return server;
}

async function returned(primary: FakePrimary, server: UnixSeqpacketServer, t: Ending): Promise<Peer> {
  const [socket] = (await once(server, 'connection')) as [UnixSeqpacket];
  const peer = new Peer(primary, socket);
  t.after(() => peer.link.close());
  return peer;
}

async function answers(worker: Worker, fd: Fd): Promise<void> {
  const client = httpClient({ port: (fd.describe().local as { port: number }).port });
  assert.equal(await client.ask(), worker.child.process.pid);
  client.close();
}

for (const delivery of ['shared', 'passed'] as const) {
  test(`${delivery}: a worker serves without a primary, and comes back to the next one with what it has`, async (t) => {
    const address = `@${freshName()}`;
    const first = new FakePrimary(t);
    first.delivery = delivery;
    const worker = await serving(first.start({ env: { FDPASS_POOL: address } }));
    worker.hangUp();
    await answers(worker, first.listeners.get('web') as Fd);
    const next = new FakePrimary(t);
    const peer = await returned(next, meetingPoint(t, address), t);
    const { back } = await peer.hears('hello');
    assert.deepEqual(back, {
      worker: 1,
      generation: 7,
      ready: true,
      listeners: [
        { name: 'web', place: { kind: 'stream', host: '127.0.0.1', port: 0, backlog: 511 }, delivery },
      ],
    });
    const [held, original] = [next.listeners.get('web'), first.listeners.get('web')] as [Fd, Fd];
    assert.equal(held.describe().inode, original.describe().inode);
    if (delivery === 'shared') await answers(worker, held);
    peer.say({ type: 'ping', sequence: 9 });
    assert.equal((await peer.hears('pong')).sequence, 9);
    peer.say({ type: 'stop', drainMs: 5_000 });
    await peer.hears('bye');
    assert.equal((await worker.child.ended).code, 0);
  });
}

test('a primary that hangs up again, or says nothing that makes sense, is left for the next one', async (t) => {
  const address = `@${freshName()}`;
  const first = new FakePrimary(t);
  const worker = await serving(first.start({ env: { FDPASS_POOL: address } }));
  worker.link.trySend(Buffer.from('no message'), []);
  await worker.ends();
  const server = meetingPoint(t, address);
  const silent = new FakePrimary(t);
  silent.obliging = false;
  const [hangsUp] = (await once(server, 'connection')) as [UnixSeqpacket];
  await hangsUp.close();
  const nonsense = await returned(silent, server, t);
  await nonsense.hears('hello');
  nonsense.link.trySend(Buffer.from('{"type":"welcome"}'), []);
  const good = await returned(new FakePrimary(t), server, t);
  await good.hears('hello');
  good.say({ type: 'ping', sequence: 1 });
  await good.hears('pong');
});

test('FDPASS_ORPHANS=drain: without a primary the connections end, and the worker does', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start({ env: { FDPASS_ORPHANS: 'drain' } }));
  const client = httpClient({ port: primary.port('web') });
  await client.ask();
  worker.hangUp();
  await worker.says('superseded');
  assert.equal(await client.ask(), worker.child.process.pid);
  client.close();
  assert.equal((await worker.child.ended).code, 0);
});

test('without a primary fail() and upgrade() say so, and close() ends the worker', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  worker.hangUp();
  worker.child.write('status\n');
  assert.equal((await worker.tells('status:')).state, 'probation');
  for (const order of ['fail for nobody', 'upgrade']) {
    worker.child.write(`${order}\n`);
    assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_ALONE');
  }
  worker.child.write('close\n');
  assert.equal((await worker.child.ended).code, 0);
});

/** How a primary ends: by its death, or by what nobody can read. */
const ends: Record<string, (worker: Worker) => void> = {
  'is gone': (worker) => worker.hangUp(),
  'sends what is no JSON': (worker) => void worker.link.trySend(Buffer.from('\0\0'), []),
  'sends a list': (worker) => void worker.link.trySend(Buffer.from('[1]'), []),
  'sends an unknown word': (worker) => void worker.link.trySend(Buffer.from('{"type":"obey"}'), []),
  'sends a figure that is none': (worker) =>
    void worker.link.trySend(Buffer.from('{"type":"stop","drainMs":"x"}'), []),
};

for (const [how, end] of Object.entries(ends)) {
  test(`a primary that ${how} before its welcome: createHandoff() fails`, async (t) => {
    const primary = new FakePrimary(t);
    primary.obliging = false;
    const worker = primary.start();
    await worker.hears('hello');
    end(worker);
    assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_HOLDER_GONE');
    assert.equal((await worker.child.ended).code, 1);
  });

  test(`a primary that ${how} before its answer: listen() fails`, async (t) => {
    const primary = new FakePrimary(t);
    primary.obliging = false;
    const worker = primary.start();
    await worker.hears('hello');
    worker.say(WELCOME);
    await worker.hears('listen');
    end(worker);
    assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_HOLDER_GONE');
    assert.equal((await worker.child.ended).code, 1);
  });

  test(`a primary that ${how} before ready(): that fails, and the process ends`, async (t) => {
    const primary = new FakePrimary(t);
    const worker = primary.start();
    await worker.says('listens');
    end(worker);
    await worker.ends();
    worker.child.write('ready\n');
    assert.equal((await worker.tells('failed')).code, 'ERR_HANDOFF_HOLDER_GONE');
  });

  test(`a primary that ${how} while the worker drains: it drains, and ends with 0`, async (t) => {
    const primary = new FakePrimary(t);
    const worker = await serving(primary.start());
    const client = httpClient({ port: primary.port('web') });
    await client.ask();
    worker.say({ type: 'stop', drainMs: 20_000 });
    await worker.says('superseded');
    end(worker);
    assert.equal(await client.ask(), worker.child.process.pid);
    client.close();
    await worker.says('drained');
    assert.equal((await worker.child.ended).code, 0);
  });
}

test('descriptors that nobody asked for are closed', async (t) => {
  const primary = new FakePrimary(t);
  const worker = await serving(primary.start());
  const count = async (): Promise<number> => {
    worker.child.write('descriptors\n');
    return await worker.tells('descriptors:');
  };
  const before = await count();
  const fd = primary.listeners.get('web') as Fd;
  for (let i = 0; i < 5; i++) {
    worker.say({ type: 'ping', sequence: i }, [fd, fd]);
    worker.say({ type: 'listener', request: 99, delivery: 'shared' }, [fd, fd]);
    worker.say({ type: 'connections', listener: 'other' }, [fd]);
    worker.say(WELCOME, [fd]);
    await worker.hears('pong');
  }
  assert.equal(await count(), before);
});
