import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Receipt } from 'fdpass';
import type { PoolOptions } from '#fdpass/pool/options';
import { createPool, type Pool } from '#fdpass/pool/pool';
import { askWorker, hammerWorkers } from '../helpers/worker-client';

const EXEC = path.join(__dirname, '..', 'fixtures', 'pool-worker.js');
const QUICK = { execArgv: [], probationMs: 50, timeouts: { drain: 5_000, exit: 1_000, warm: 20_000 } };

async function open(t: TestContext, options: Partial<PoolOptions> = {}): Promise<Pool> {
  const pool = await createPool({ exec: EXEC, workers: 2, output: 'event', ...QUICK, ...options });
  t.after(() => pool.close());
  return pool;
}

function portOf(pool: Pool): number {
  return Number(pool.status().listeners[0]?.address.split(':').at(-1));
}

const kinds = ['processes', 'threads'] as const;

for (const kind of kinds) {
  test(`${kind}: the workers of a pool share one port that the primary has bound`, async (t) => {
    const pool = await open(t, { kind, workers: 3 });
    const port = portOf(pool);
    const answers = await Promise.all(Array.from({ length: 30 }, () => askWorker(port)));
    assert.deepEqual(new Set(answers.map(({ release }) => release)), new Set(['1']));
    const { workers, listeners } = pool.status();
    assert.deepEqual(
      workers.map(({ worker, state }) => [worker, state]),
      [1, 2, 3].map((n) => [n, 'serving']),
    );
    assert.deepEqual(
      listeners.map(({ name }) => name),
      ['http'],
    );
    const known = workers.map(({ pid, threadId = 0 }) => `${pid}/${threadId}`);
    assert.equal(new Set(known).size, 3);
    for (const { pid, threadId } of answers) assert.ok(known.includes(`${pid}/${threadId}`));
  });

  test(`${kind}: a roll under load replaces every worker and loses no request`, async (t) => {
    const pool = await open(t, { kind });
    const before = pool.status().workers.map(({ pid, threadId = 0 }) => `${pid}/${threadId}`);
    const load = hammerWorkers(portOf(pool));
    const receipt = await pool.restart();
    const { answered, failed } = await load();
    assert.deepEqual(failed, []);
    assert.ok(answered > 20, `${answered} answers`);
    assert.deepEqual(
      receipt.replaced.map(({ worker }) => worker),
      [1, 2],
    );
    const serving = pool.status().workers.filter(({ state }) => state === 'serving');
    assert.deepEqual(
      serving.map(({ generation }) => generation),
      [2, 2],
    );
    for (const { pid, threadId = 0 } of serving) assert.ok(!before.includes(`${pid}/${threadId}`));
  });

  test(`${kind}: a crashed worker is started again, and its clients wait in the queue meanwhile`, async (t) => {
    const pool = await open(t, { kind, workers: 1 });
    const port = portOf(pool);
    const crash = once(pool, 'crash');
    await assert.rejects(askWorker(port, '/crash'));
    const waiting = askWorker(port); // nobody is there to accept it
    const [error, pauseMs] = (await crash) as [NodeJS.ErrnoException, number];
    assert.equal(error.code, 'ERR_POOL_WORKER');
    assert.match(error.message, /^worker 1 \((pid|thread) \d+\) was no good: it has ended with exit code 4$/);
    assert.equal(pauseMs, 100);
    assert.equal((await waiting).generation, 2);
    const [row] = pool.status().workers;
    assert.equal(row?.restarts, 1);
    assert.equal(row?.lastExit?.reason, 'it has ended with exit code 4');
  });

  test(`${kind}: a worker whose event loop is stuck is killed and replaced`, async (t) => {
    const pool = await open(t, { kind, workers: 1, heartbeat: { intervalMs: 20, timeoutMs: 400 } });
    const port = portOf(pool);
    const crash = once(pool, 'crash');
    await assert.rejects(askWorker(port, '/spin'));
    const [error] = (await crash) as [Error];
    assert.match(error.message, /its event loop was stuck for 400 ms/);
    assert.equal((await askWorker(port)).generation, 2);
  });

  test(`${kind}: a pool whose first workers do not get ready is none, and says why`, async () => {
    const options = { exec: EXEC, kind, workers: 2, output: 'event', ...QUICK } as const;
    await assert.rejects(createPool({ ...options, env: { FAULT: 'exit' } }), {
      code: 'ERR_POOL_WORKER',
      message: /it has ended with exit code 3/,
    });
    const timeouts = { ...QUICK.timeouts, warm: 1_000 };
    await assert.rejects(createPool({ ...options, timeouts, env: { FAULT: 'silent' } }), {
      code: 'ERR_POOL_WORKER',
      message: /it was not ready within 1000 ms$/,
    });
  });

  for (const [fault, reason] of [
    ['exit@2', /it has ended with exit code 3/],
    ['fail@2', /it has given up: no database/],
    ['unwell@2', /the health check said false/],
  ] as const) {
    test(`${kind}: a roll to a version that is no good (${fault}) stops and leaves the old workers`, async (t) => {
      const pool = await open(t, { kind, env: { FAULT: fault }, probationMs: 500 });
      const port = portOf(pool);
      const before = pool.status().workers.map(({ generation }) => generation);
      const load = hammerWorkers(port);
      await assert.rejects(pool.restart(), { code: 'ERR_POOL_WORKER', message: reason });
      const { failed } = await load();
      assert.deepEqual(failed, []);
      const serving = pool.status().workers.filter(({ state }) => state === 'serving');
      assert.deepEqual(
        serving.map(({ generation }) => generation),
        before,
      );
      assert.equal((await askWorker(port)).generation, 1);
    });
  }

  test(`${kind}: a pool is scaled up and down under load without losing a request`, async (t) => {
    const pool = await open(t, { kind, workers: 1 });
    const load = hammerWorkers(portOf(pool));
    await pool.scale(3);
    assert.equal(pool.status().workers.filter(({ state }) => state === 'serving').length, 3);
    const exits = [once(pool, 'exit'), once(pool, 'exit')];
    await pool.scale(1);
    assert.equal(pool.size, 1);
    for (const [, , told] of await Promise.all(exits)) assert.equal(told, true);
    assert.deepEqual((await load()).failed, []);
  });

  test(`${kind}: close() ends the workers and frees the port`, async (t) => {
    const pool = await open(t, { kind });
    const port = portOf(pool);
    const pids = pool.status().workers.map(({ pid }) => pid);
    await pool.close();
    await assert.rejects(askWorker(port), { code: 'ECONNREFUSED' });
    if (kind === 'processes')
      for (const pid of pids) assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' });
    await assert.rejects(pool.restart(), { code: 'ERR_FDPASS_CLOSED' });
  });
}

test('a worker that was killed with SIGKILL is replaced, and the others serve meanwhile', async (t) => {
  const pool = await open(t);
  const port = portOf(pool);
  const [first] = pool.status().workers;
  const crash = once(pool, 'crash');
  process.kill(first?.pid as number, 'SIGKILL');
  const [error] = (await crash) as [Error];
  assert.match(error.message, /SIGKILL/);
  assert.equal((await askWorker(port)).pid, pool.status().workers.find(({ worker }) => worker === 2)?.pid);
  await once(pool, 'ready');
});

test('a worker that scale() has let go is shown until it has ended, and its place counts on', async (t) => {
  const pool = await open(t);
  const slow = [1, 2, 3, 4].map(() => askWorker(portOf(pool), '/slow'));
  const busy = await Promise.all([askWorker(portOf(pool)), askWorker(portOf(pool))]); // all are accepted
  assert.equal(busy.length, 2);
  const left = once(pool, 'exit');
  await pool.scale(1);
  const states = () =>
    pool.status().workers.map(({ worker, generation, state }) => [worker, generation, state]);
  assert.deepEqual(states(), [
    [1, 1, 'serving'],
    [2, 1, 'leaving'],
  ]);
  await left;
  assert.deepEqual(states(), [[1, 1, 'serving']]);
  await pool.scale(2);
  assert.deepEqual(states()[1], [2, 2, 'serving']);
  await Promise.all(slow);
});

test('a worker that is stopped is killed and replaced', async (t) => {
  const pool = await open(t, { workers: 1, heartbeat: { intervalMs: 20, timeoutMs: 400 } });
  const [first] = pool.status().workers;
  const crash = once(pool, 'crash');
  process.kill(first?.pid as number, 'SIGSTOP');
  const [error] = (await crash) as [Error];
  assert.match(error.message, /stuck/);
  assert.equal((await askWorker(portOf(pool))).generation, 2);
});

test('a port in use makes no pool, and says so as listen() does', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as net.AddressInfo;
  await assert.rejects(
    createPool({ exec: EXEC, workers: 1, output: 'event', ...QUICK, env: { PORT: String(port) } }),
    (error: NodeJS.ErrnoException & { stderr: string }) => {
      assert.equal(error.code, 'ERR_POOL_WORKER');
      assert.match(error.stderr, new RegExp(`EADDRINUSE 127\\.0\\.0\\.1:${port}`));
      return true;
    },
  );
});

test('a roll and scale() refuse each other, and themselves, while one is under way', async (t) => {
  const pool = await open(t);
  const first = pool.restart();
  await assert.rejects(pool.restart(), { code: 'ERR_POOL_BUSY' });
  await assert.rejects(pool.scale(3), { code: 'ERR_POOL_BUSY' });
  assert.equal((await first).replaced.length, 2);
  const scaled = pool.scale(3);
  await assert.rejects(pool.restart(), { code: 'ERR_POOL_BUSY' });
  await assert.rejects(pool.scale(1), { code: 'ERR_POOL_BUSY' });
  await scaled;
  assert.equal(pool.size, 3);
});

test('a program that is not there makes no pool, and its name is told', async () => {
  const options = { workers: 1, output: 'event', ...QUICK } as const;
  await assert.rejects(createPool({ ...options, command: ['/nowhere/program'] }), {
    code: 'ERR_POOL_WORKER',
    message: /could not be started: spawn \/nowhere\/program ENOENT/,
  });
});

test('a worker knows its place, and so does the one that replaces it', async (t) => {
  const pool = await open(t, { workers: 1 });
  assert.equal((await askWorker(portOf(pool))).place, '1');
  await pool.restart();
  assert.equal((await askWorker(portOf(pool))).place, '1');
});

test('a roll replaces as many workers at once as it may', async (t) => {
  const pool = await open(t, { workers: 3, atOnce: 3, probationMs: 400 });
  const roll = pool.restart();
  await Promise.all([once(pool, 'ready')]);
  while (pool.status().workers.filter(({ state }) => state === 'probation').length < 3) await sleep(5);
  assert.equal((await roll).replaced.length, 3);
});

test('the figures of the workers are those of their connections', async (t) => {
  const pool = await open(t, { workers: 1, heartbeat: { intervalMs: 10, timeoutMs: 10_000 } });
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  await askWorker(portOf(pool), '/', agent);
  for (;;) {
    const [row] = pool.status().workers;
    if (row?.connections === 1) {
      assert.equal(row.accepted, 1);
      assert.ok((row.rssBytes ?? 0) > 1e6 && (row.cpuMs ?? 0) > 0 && row.loopLagMs !== undefined);
      return;
    }
    await sleep(10);
  }
});

test("upgrade() in a worker rolls the pool, and tells the worker's own receipt, or why the roll has failed", async (t) => {
  const good = await open(t, { workers: 1 });
  const [before] = good.status().workers;
  const receipt = (await askWorker(portOf(good), '/upgrade')) as unknown as Receipt;
  assert.deepEqual(receipt.predecessor, { pid: before?.pid, generation: 1 });
  assert.equal(receipt.generation, 2);
  const bad = await open(t, { workers: 1, env: { FAULT: 'exit@2' } });
  const { code } = (await askWorker(portOf(bad), '/upgrade')) as unknown as { code: string };
  assert.equal(code, 'ERR_POOL_WORKER');
});
