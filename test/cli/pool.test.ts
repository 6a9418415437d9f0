// What status, restart, abort, scale, logs and top say of a pool, to people and to scripts.
import assert from 'node:assert/strict';
import test from 'node:test';
import type { ServiceStatus } from '#fdpass/handoff/command';
import type { RollProgress } from '#fdpass/handoff/pool-commands';
import type { WorkerStatus } from '#fdpass/handoff/pool-status';
import { FakePool, logLine, workerStatus } from '../helpers/fake-pool';
import { Service } from '../helpers/service';

const BUSY: RollProgress = { pid: 20, state: 'starting', ageMs: 2_000, worker: 2, done: 1, total: 4 };

function json(stdout: string): Record<string, unknown> {
  return JSON.parse(stdout);
}

test('status has a line for each worker, and what is remarkable about them', async (t) => {
  const pool = await FakePool.open(t);
  const figures = {
    ageMs: 60_000,
    connections: 3,
    accepted: 10,
    requests: 25,
    loopLagMs: 12.4,
    rssBytes: 50e6,
    cpuMs: 2_500,
  };
  pool.workers = [
    workerStatus(1, {
      ...figures,
      generation: 3,
      restarts: 2,
      lastExit: { reason: 'exit code 1', agoMs: 5_000 },
    }),
    workerStatus(2, { state: 'waiting', pid: 0, threadId: 4 }),
  ];
  pool.progress = BUSY;
  const { code, stdout } = await pool.run('status', 'shop');
  assert.equal(code, 0);
  assert.match(stdout, /^WORKER +PID +STATE +AGE +CONN +ACCEPTED +REQUESTS +LAG +MEMORY +CPU +RESTARTS$/m);
  assert.match(stdout, /^1\.3 +1001 +serving +60 s +3 +10 +25 +12 ms +50 MB +2\.5 s +2$/m);
  assert.match(stdout, /^2\.1 +- +waiting +- +- +- +- +- +- +- +0$/m);
  assert.match(stdout, /^a roll is under way for 2\.0 s: 1 of 4 workers are new$/m);
  assert.match(stdout, /^worker 1: exit code 1, 5\.0 s ago; started again 2 times$/m);
  const said = json((await pool.run('status', 'shop', '--json')).stdout) as { status: { pool: unknown } };
  assert.deepEqual(said.status.pool, pool.status());
});

test('status and top tell scripts milliseconds to a tenth', async (t) => {
  const pool = await FakePool.open(t);
  pool.workers = [workerStatus(1, { loopLagMs: 0.20866300000000002, cpuMs: 2_500.04, ageMs: 60_000.25 })];
  const { status } = json((await pool.run('status', 'shop', '--json')).stdout) as { status: ServiceStatus };
  const looked = json((await pool.run('top', 'shop', '--once', '--json')).stdout) as unknown as ServiceStatus;
  for (const { pool, ageMs: age } of [status, looked]) {
    const [worker] = pool?.workers ?? [];
    const { loopLagMs, cpuMs, ageMs } = worker as WorkerStatus;
    assert.deepEqual([loopLagMs, cpuMs, ageMs], [0.2, 2_500, 60_000.3]);
    assert.match(String(age), /^\d+(\.\d)?$/);
  }
});

test('restart of a pool rolls its workers: each step on stderr, the receipt on stdout', async (t) => {
  const pool = await FakePool.open(t);
  pool.onRoll = async () => {
    for (const [done, state] of [
      [0, 'starting'],
      [0, 'probation'],
      [1, 'starting'],
    ] as const) {
      pool.progress = { pid: 20 + done, state, ageMs: 1_000, worker: done + 1, done, total: 2 };
      pool.step();
    }
    pool.progress = undefined;
    const replaced = [1, 2].map((worker) => ({
      worker,
      pid: 20 + worker,
      predecessor: 10,
      startToReadyMs: 300,
    }));
    return { replaced, ms: 1_500 };
  };
  const { code, stdout, stderr } = await pool.run('restart', 'shop');
  assert.equal(code, 0, stderr);
  assert.equal(
    stderr,
    'starting    1.0 s  0 of 2 done; worker 1, process 20: it boots\n' +
      'probation   1.0 s  0 of 2 done; worker 1, process 20: it serves, and the old one does too\n' +
      'starting    1.0 s  1 of 2 done; worker 2, process 21: it boots\n',
  );
  assert.equal(
    stdout,
    '2 workers were replaced in 1.5 s\nWORKER  PID  BEFORE  READY AFTER\n1       21   10      0.3 s\n2       22   10      0.3 s\n',
  );
  pool.onRoll = async () => ({ replaced: [], ms: 1 });
  const said = json((await pool.run('restart', 'shop', '--json')).stdout);
  assert.deepEqual(said, { outcome: 'rolled', receipt: { replaced: [], ms: 1 } });
});

test('a roll that stops says where, with exit code 1, and 2 if the new worker had served', async (t) => {
  const pool = await FakePool.open(t);
  let code = 'ERR_POOL_WORKER';
  pool.onRoll = async () => {
    pool.progress = BUSY;
    pool.step();
    pool.progress = undefined;
    throw Object.assign(new Error('worker 2 ended with exit code 7'), { code, stderr: 'no configuration\n' });
  };
  const failed = await pool.run('restart', 'shop');
  assert.equal(failed.code, 1);
  assert.match(
    failed.stderr,
    /\nfdpass restart: worker 2 ended with exit code 7 \(ERR_POOL_WORKER\); the roll has stopped: 1 of 4 workers are new, the others serve on\n--- the end of its stderr ---\nno configuration\n$/,
  );
  code = 'ERR_HANDOFF_ROLLED_BACK';
  assert.equal((await pool.run('restart', 'shop')).code, 2);
});

test('a roll that is under way makes restart busy, exit code 3, and is called off by abort', async (t) => {
  const pool = await FakePool.open(t);
  pool.progress = BUSY;
  const { code, stderr } = await pool.run('restart', 'shop');
  assert.equal(code, 3);
  const text = 'a roll is under way, for 2.0 s: 1 of 4 workers are new; try again, or: fdpass abort shop';
  assert.equal(stderr, `fdpass restart: ${text}\n`);
  const { stdout } = await pool.run('abort', 'shop');
  assert.equal(stdout, 'the roll was called off: 1 of 4 workers have been replaced\n');
  const again = await pool.run('abort', 'shop');
  assert.deepEqual([again.code, again.stderr], [1, 'fdpass abort: no roll and no upgrade is under way\n']);
});

test('scale takes N, max, +N and -N', async (t) => {
  const pool = await FakePool.open(t);
  pool.workers = [workerStatus(1), workerStatus(2)];
  for (const [size, to] of [
    ['5', 5],
    ['max', 8],
    ['+1', 3],
    ['-1', 1],
  ] as const) {
    const { code, stdout } = await pool.run('scale', 'shop', size);
    assert.deepEqual([code, stdout], [0, `2 workers before, ${to} now\n`]);
  }
  const { stdout } = await pool.run('scale', '-1', '--json');
  assert.deepEqual(json(stdout), { outcome: 'scaled', from: 2, to: 1 });
  const none = await pool.run('scale', 'shop', '-2');
  assert.equal(none.code, 1);
  assert.match(none.stderr, /at least one worker/);
});

test('a wrong size is a wrong command line', async (t) => {
  const pool = await FakePool.open(t);
  for (const size of ['0', '-0', 'many', '1.5', '']) {
    const { code, stderr } = await pool.run('scale', 'shop', size);
    assert.equal(code, 64, stderr);
    assert.match(stderr, /the number of workers is .*max, \+N or -N/);
  }
});

test('logs show the latest lines, each with its worker and generation', async (t) => {
  const pool = await FakePool.open(t);
  pool.lines = [
    logLine('one', { worker: 9 }),
    logLine('\x1b[31mtwo\x1b[0m', { worker: 10, generation: 12, stream: 'stderr' }),
    logLine('three', { worker: 9 }),
  ];
  const { code, stdout } = await pool.run('logs', 'shop');
  assert.equal(code, 0);
  assert.equal(stdout, 'shop/9.1 | one\nshop/10.12 | \x1b[31mtwo\x1b[0m\nshop/9.1   | three\n');
  assert.equal((await pool.run('logs', 'shop', '-n', '1')).stdout, 'shop/9.1 | three\n');
  const line = json((await pool.run('logs', '--worker', '10', '--json')).stdout);
  const time = '1970-01-01T00:00:00.000Z';
  const expected = {
    time,
    worker: 10,
    generation: 12,
    pid: 1_001,
    stream: 'stderr',
    line: '\x1b[31mtwo\x1b[0m',
  };
  assert.deepEqual(line, expected);
});

test('logs -f goes on, and ends with its reader', async (t) => {
  const pool = await FakePool.open(t);
  pool.lines = [logLine('before')];
  const child = pool.startCli('logs', 'shop', '-f');
  assert.equal(await child.line(), 'shop/1.1 | before');
  pool.say(logLine('after'));
  assert.equal(await child.line(), 'shop/1.1 | after');
  child.process.stdout?.destroy();
  pool.say(logLine('to nobody'));
  await new Promise((resolve) => child.process.once('exit', resolve));
  assert.equal(child.process.exitCode, 0);
  while (pool.followers.size > 0) await new Promise(setImmediate);
});

test('top prints a table for each look where there is no terminal', async (t) => {
  const pool = await FakePool.open(t);
  pool.workers = [
    workerStatus(1, { ageMs: 10_000, requests: 100, accepted: 20, cpuMs: 5_000, connections: 2 }),
  ];
  const { code, stdout } = await pool.run('top', 'shop', '--once');
  assert.equal(code, 0);
  assert.match(
    stdout,
    /^shop: 1 processes, balance least; 2 connections\nheld by process \d+, generation 1, for /,
  );
  assert.match(stdout, /^1\.1 +1001 +serving +10 s +2 +2\.0 +10 +- +- +50 % +0$/m);
  const child = pool.startCli('top', 'shop', '--interval', '100', '--json');
  for (let look = 0; look < 2; look++) {
    const { name } = json(await child.line());
    assert.equal(name, 'shop');
  }
  child.process.stdout?.destroy();
  await new Promise((resolve) => child.process.once('exit', resolve));
  assert.equal(child.process.exitCode, 0);
});

test('a service that is no pool has no workers to scale, to read or to watch', async (t) => {
  const service = new Service(t);
  await service.start();
  for (const [args, text] of [
    [['scale', 'shop', '2'], 'fdpass scale: shop is no pool: it has no workers\n'],
    [['logs', 'shop'], 'fdpass logs: shop is no pool: it has no workers\n'],
    [['top', 'shop'], 'fdpass top: shop is no pool; see fdpass status shop\n'],
    [
      ['restart', 'shop', '--supervisor'],
      'fdpass restart: shop is no pool: restart it without --supervisor\n',
    ],
  ] as const) {
    const { code, stderr } = await service.run(...args);
    assert.deepEqual([code, stderr], [1, text]);
  }
});
