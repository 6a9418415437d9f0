// The commands of a pool on the control socket: asked and answered within this process.
import assert from 'node:assert/strict';
import test from 'node:test';
import { UnixAddress } from 'fdpass';
import { type AskOptions, ask } from '#fdpass/handoff/ask';
import { HandoffBusyError } from '#fdpass/handoff/busy';
import type { LogLine, Progress } from '#fdpass/handoff/pool-commands';
import { FakePool, logLine, workerStatus } from '../helpers/fake-pool';
import { RawPeer } from '../helpers/raw-peer';
import { Service } from '../helpers/service';

async function askPool(pool: FakePool, command: AskOptions['command'], more: Partial<AskOptions> = {}) {
  return await ask({ address: UnixAddress.path(pool.address), command, name: 'shop', ...more });
}

test('status has every worker, with the reason of its last end, however many', async (t) => {
  const pool = await FakePool.open(t);
  const lastExit = { reason: '\x01'.repeat(256), agoMs: 1 }; // six bytes of JSON each
  pool.workers = Array.from({ length: 200 }, (_, i) => workerStatus(i + 1, { connections: 2, lastExit }));
  const result = await askPool(pool, 'status');
  assert.ok(result.outcome === 'status');
  assert.deepEqual(result.status.pool, pool.status());
  assert.equal(result.status.connections, 400, 'those of the workers');
});

test('restart rolls the workers, each step is told, and the receipt comes at the end', async (t) => {
  const pool = await FakePool.open(t);
  const steps: Progress[] = [];
  const receipt = { replaced: [{ worker: 1, pid: 20, predecessor: 10, startToReadyMs: 5 }], ms: 7 };
  pool.onRoll = async () => {
    for (const state of ['starting', 'probation']) {
      pool.progress = { pid: 20, state, ageMs: 1, worker: 1, done: 0, total: 1 };
      pool.step();
    }
    pool.progress = undefined;
    return receipt;
  };
  const result = await askPool(pool, 'restart', { onProgress: (progress) => steps.push(progress) });
  assert.deepEqual(result, { outcome: 'rolled', receipt });
  const expected = ['starting', 'probation'].map((state) => ({
    pid: 20,
    state,
    ageMs: 1,
    worker: 1,
    done: 0,
    total: 1,
  }));
  assert.deepEqual(steps, expected);
});

test('a roll that fails is told with what is known of the worker', async (t) => {
  const pool = await FakePool.open(t);
  const stood = Object.assign(new Error('worker 1 was no good\n---\nno configuration'), {
    code: 'ERR_POOL_WORKER',
    reason: 'worker 1 was no good',
    stderr: 'no configuration\n',
    exitCode: 7,
  });
  pool.onRoll = () => Promise.reject(stood);
  assert.deepEqual(await askPool(pool, 'restart'), {
    outcome: 'failed',
    code: 'ERR_POOL_WORKER',
    reason: 'worker 1 was no good',
    stderr: 'no configuration\n',
    exitCode: 7,
    signal: null,
  });
  pool.onRoll = () => Promise.reject(Object.assign(new Error('no'), { code: 'ERR_HANDOFF_ROLLED_BACK' }));
  assert.equal((await askPool(pool, 'restart')).outcome, 'rolledback');
});

test('a second restart is told who is busy, and abort calls the roll off', async (t) => {
  const pool = await FakePool.open(t);
  pool.progress = { pid: 20, state: 'starting', ageMs: 1, worker: 2, done: 1, total: 4 };
  const busy = { outcome: 'busy', ...pool.progress };
  assert.deepEqual(await askPool(pool, 'restart'), busy);
  assert.deepEqual(await askPool(pool, 'restart', { more: { supervisor: true } }), busy);
  assert.deepEqual(await askPool(pool, 'abort'), {
    outcome: 'aborted',
    pid: 20,
    state: 'starting',
    rolledBack: false,
    worker: 2,
    done: 1,
    total: 4,
  });
  const reason = 'no roll and no upgrade is under way';
  assert.deepEqual(await askPool(pool, 'abort'), { outcome: 'nothing', reason });
});

test('scale takes a size, a difference or max, and never leaves a pool without workers', async (t) => {
  const pool = await FakePool.open(t);
  pool.workers = [workerStatus(1), workerStatus(2)];
  const sizes: (number | 'max')[] = [];
  pool.onScale = async (size) => {
    sizes.push(size);
    return size === 'max' ? 8 : size;
  };
  for (const more of [{ to: 5 }, { to: 'max' }, { by: 1 }, { by: -1 }])
    await askPool(pool, 'scale', { more });
  assert.deepEqual(sizes, [5, 'max', 3, 1]);
  assert.deepEqual(await askPool(pool, 'scale', { more: { to: 4 } }), { outcome: 'scaled', from: 2, to: 4 });
  assert.equal((await askPool(pool, 'scale', { more: { by: -2 } })).outcome, 'refused');
  for (const more of [{}, { to: 0 }, { to: 1.5 }, { to: 'all' }, { by: 0 }, { by: 'x' }]) {
    const result = await askPool(pool, 'scale', { more });
    assert.ok(result.outcome === 'failed' && result.code === 'ERR_HANDOFF_PROTOCOL');
  }
});

test('scale while somebody is in the way is busy', async (t) => {
  const pool = await FakePool.open(t);
  pool.onScale = () => Promise.reject(new HandoffBusyError({ pid: 5, ageMs: 1, state: 'starting' }));
  assert.deepEqual(await askPool(pool, 'scale', { more: { to: 2 } }), {
    outcome: 'busy',
    pid: 5,
    ageMs: 1,
    state: 'starting',
  });
});

test('logs have the latest lines in their order, long ones included', async (t) => {
  const pool = await FakePool.open(t);
  pool.lines = Array.from({ length: 100 }, (_, i) =>
    logLine(`${i}`.padEnd(8_000, '\x01'), { worker: (i % 2) + 1 }),
  );
  const heard: LogLine[] = [];
  const onLines = (lines: LogLine[]): void => void heard.push(...lines);
  assert.deepEqual(await askPool(pool, 'logs', { more: { lines: 90 }, onLines }), { outcome: 'logs' });
  assert.deepEqual(heard, pool.lines.slice(-90));
  heard.length = 0;
  await askPool(pool, 'logs', { more: { lines: 10, worker: 2 }, onLines });
  assert.deepEqual(
    heard.map(({ worker }) => worker),
    Array.from({ length: 10 }, () => 2),
  );
});

test('who follows the log hears what comes, of the worker that is meant, and is forgotten when it goes', async (t) => {
  const pool = await FakePool.open(t);
  const following = new Promise<void>((resolve) => {
    pool.onFollow = resolve;
  });
  const peer = new RawPeer(pool.address);
  await peer.send('COMMAND', { command: 'logs', follow: true, lines: 10, worker: 2 });
  await following;
  assert.deepEqual((await peer.hear())?.payload, {}, 'it lives');
  pool.say(logLine('one'), logLine('two', { worker: 2 }), logLine('three', { worker: 2 }));
  const heard = (await peer.hear())?.payload['lines'] as LogLine[];
  assert.deepEqual(
    heard.map(({ line }) => line),
    ['two', 'three'],
  );
  await peer.close();
  while (pool.followers.size > 0) await new Promise(setImmediate);
});

test('a service that is no pool refuses what only a pool can', async (t) => {
  const service = new Service(t);
  await service.start();
  const address = UnixAddress.path(service.address);
  for (const command of ['scale', 'logs'] as const) {
    const result = await ask({ address, command, more: { to: 2 } });
    assert.deepEqual(result, { outcome: 'refused', reason: 'shop is no pool: it has no workers' });
  }
  const reason = 'shop is no pool: restart it without --supervisor';
  const result = await ask({ address, command: 'restart', more: { supervisor: true } });
  assert.deepEqual(result, { outcome: 'refused', reason });
});

test('logs of a pool that does not see them, and of a worker that is not there, are refused', async (t) => {
  const pool = await FakePool.open(t);
  pool.workers = [workerStatus(1)];
  const refused = await askPool(pool, 'logs', { more: { worker: 9 } });
  assert.deepEqual(refused, { outcome: 'refused', reason: 'the pool has no worker 9' });
  assert.deepEqual(await askPool(pool, 'logs', { more: { worker: 1 } }), { outcome: 'logs' });
  pool.keepsLogs = false;
  const blind = await askPool(pool, 'logs');
  assert.ok(blind.outcome === 'refused');
  assert.match(blind.reason, /its workers print where the process that holds the pool does/);
});
