// Worker threads as workers of a pool: the primary is in the same process.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import { createInterface } from 'node:readline';
import test from 'node:test';
import { Worker as Thread, type WorkerOptions } from 'node:worker_threads';
import { openLinkPair } from '#fdpass/worker/link';
import { httpClient } from '../helpers/clients';
import { settledFdCount } from '../helpers/fd-count';
import type { Ending } from '../helpers/tmp-dir';
import { FakePrimary, Peer } from './fake-primary';

interface ThreadWorker {
  peer: Peer;
  thread: Thread;
  exited: Promise<number>;
}

/** The primary's copy of the thread's end is closed behind its 'hello'. */
async function startThread(
  t: Ending,
  primary: FakePrimary,
  fixture: string,
  options: WorkerOptions,
): Promise<ThreadWorker> {
  const { ours, theirs } = openLinkPair();
  const peer = new Peer(primary, ours);
  const link = `${theirs.fd}:${theirs.describe().inode}`;
  const thread = new Thread(path.join(__dirname, '..', 'fixtures', `${fixture}.js`), {
    env: { ...process.env, FDPASS_LINK: link },
    stdin: true,
    stdout: true,
    ...options,
  });
  const exited = once(thread, 'exit').then(([code]) => code as number);
  t.after(async () => {
    await thread.terminate();
    peer.hangUp();
  });
  const { type } = await peer.hears('hello');
  assert.equal(type, 'hello');
  theirs.close();
  return { peer, thread, exited };
}

const port = (primary: FakePrimary, name: string) => ({ port: primary.port(name) });

test('a thread serves by a handoff, and ends when it is told to stop', async (t) => {
  const primary = new FakePrimary(t);
  const { peer, thread, exited } = await startThread(t, primary, 'worker-program', { execArgv: [] });
  const lines = createInterface({ input: thread.stdout })[Symbol.asyncIterator]();
  assert.match((await lines.next()).value as string, /"generation":7,"variables":\[\]/);
  assert.match((await lines.next()).value as string, /^listens/);
  thread.stdin?.write('ready\n');
  await peer.hears('ready');
  const client = httpClient(port(primary, 'web'));
  assert.equal(await client.ask(), process.pid);
  peer.say({ type: 'stop', drainMs: 5_000 });
  assert.equal(await client.ask(), process.pid);
  client.close();
  assert.equal((await peer.hears('bye')).closed, 1);
  await peer.ends();
  assert.equal(await exited, 0);
});

for (const delivery of ['shared', 'passed'] as const) {
  test(`${delivery}: a program that knows nothing of pools is a worker in a thread, too`, async (t) => {
    const primary = new FakePrimary(t);
    primary.delivery = delivery;
    const execArgv = ['--require', require.resolve('#fdpass/register')];
    const { peer, exited } = await startThread(t, primary, 'unchanged', { execArgv, argv: ['port'] });
    await peer.hears('ready');
    peer.say({ type: 'ping', sequence: 1 });
    assert.equal((await peer.hears('pong')).figures.connections, 0);
    peer.say({ type: 'stop', drainMs: 5_000 });
    await peer.hears('bye');
    assert.equal(await exited, 0);
  });
}

test('a thread that is terminated leaves nothing open, and the primary hears of it', async (t) => {
  const primary = new FakePrimary(t);
  const before = await settledFdCount();
  const { peer, thread } = await startThread(t, primary, 'unchanged', {
    execArgv: ['--require', require.resolve('#fdpass/register')],
    argv: ['port'],
  });
  await peer.hears('ready');
  await thread.terminate();
  await peer.ends();
  for (const fd of primary.listeners.values()) fd.close();
  assert.equal(await settledFdCount(), before);
});

test('a thread whose primary hangs up drains and ends', async (t) => {
  const primary = new FakePrimary(t);
  const { peer, exited } = await startThread(t, primary, 'unchanged', {
    execArgv: ['--require', require.resolve('#fdpass/register')],
    argv: ['port'],
  });
  await peer.hears('ready');
  peer.hangUp();
  assert.equal(await exited, 0);
});
