// `fdpass run` with real workers, as somebody uses it in a shell.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { start } from '../helpers/child';
import { freePort } from '../helpers/free-port';
import { ask, fdpass, type Run, runtime, startRun as startProgram } from '../helpers/run-pool';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

const worker = path.join(__dirname, '../fixtures/pool-worker.js');

function startRun(t: test.TestContext, options: string[], env: NodeJS.ProcessEnv = {}): Run {
  return startProgram(t, { options, env, program: [process.execPath, worker] });
}

test('workers serve, are replaced at SIGHUP, and end at SIGTERM with exit code 0', async (t) => {
  const port = await freePort();
  const metrics = path.join(tmpDir(t), 'metrics.sock');
  const run = startRun(t, ['-i', '2', '--metrics', metrics], { PORT: String(port) });
  await run.says('fdpass run: 2 workers serve\n');
  await run.says(`fdpass run: shop listens on 127.0.0.1:${port}\n`);
  const first = JSON.parse(await ask({ port }));
  assert.equal(first.generation, 1);
  assert.match(
    await ask({ socketPath: metrics, path: '/metrics' }),
    /^fdpass_pool_workers\{pool="shop",state="serving"\} 2$/m,
  );
  run.process.kill('SIGHUP');
  await run.says('fdpass run: SIGHUP: new workers\n');
  await run.says('fdpass run: 2 workers were replaced in ');
  assert.equal(JSON.parse(await ask({ port })).generation, 2);
  const counted = await ask({ socketPath: metrics, path: '/metrics' });
  assert.match(counted, /^fdpass_pool_rolls_total\{pool="shop",outcome="committed"\} 1$/m);
  run.process.kill('SIGTERM');
  const { code, signal } = await run.end();
  assert.deepEqual([code, signal], [0, null]);
});

test('a crash is told with its reason, and the worker comes back', async (t) => {
  const port = await freePort();
  const run = startRun(t, ['-i', '1'], { PORT: String(port) });
  await run.says('fdpass run: 1 worker serves\n');
  await ask({ port, path: '/crash' }).catch(() => {});
  await run.says('exit code 4; again in 100 ms\n');
  await run.says('serves\n');
  assert.equal(JSON.parse(await ask({ port })).generation, 2);
  run.process.kill('SIGINT');
  assert.equal((await run.end()).code, 0);
});

test('a program that ends while it starts gives its exit code, and its last words come with their prefix', async (t) => {
  const run = startRun(t, ['-i', '1'], { FAULT: 'exit' });
  const { code, stderr } = await run.end();
  assert.match(stderr, /^shop\/1\.1 \| no database$/m);
  assert.equal(code, 3, stderr);
});

test('the other commands find it by its name, and a second one of that name is refused', async (t) => {
  const run = startRun(t, ['-i', '1'], { PORT: '0' });
  await run.says('fdpass run: 1 worker serves\n');
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime(t) };
  const command = (...args: string[]) =>
    within(args.join(' '), () => start(t, process.execPath, [fdpass, ...args], { env }).ended);
  const scaled = await command('scale', 'shop', '+1');
  assert.deepEqual([scaled.code, scaled.stdout], [0, '1 workers before, 2 now\n']);
  const rolled = await command('restart', 'shop', '--json');
  assert.equal(JSON.parse(rolled.stdout).receipt.replaced.length, 2, rolled.stderr);
  const { status } = JSON.parse((await command('status', 'shop', '--json')).stdout);
  assert.ok(status.pool.workers.some(({ generation }: { generation: number }) => generation === 2));
  const lines = (await command('logs', 'shop')).stdout;
  assert.match(lines, /^shop\/1\.1 \| superseded by 2$/m);
  const second = await startRun(t, ['-i', '1']).end();
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^fdpass run: the start has failed: shop runs already, as process \d+; /);
  const later = JSON.parse((await command('status', 'shop', '--json')).stdout).status;
  assert.deepEqual([later.pid, later.lastFailure], [run.process.pid, undefined], 'the first one serves on');
  run.process.kill('SIGTERM');
  assert.equal((await run.end()).code, 0);
});

test('restart --supervisor replaces the supervisor, and the workers serve all the time', async (t) => {
  const port = await freePort();
  const metrics = await freePort();
  const run = startRun(t, ['-i', '2', '--balance', 'least', '--metrics', `${metrics}`], {
    PORT: String(port),
  });
  await run.says('fdpass run: 2 workers serve\n');
  const before = JSON.parse(await ask({ port })).pid;
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime(t) };
  const command = (...args: string[]) =>
    within(args.join(' '), () => start(t, process.execPath, [fdpass, ...args], { env }).ended);
  const replaced = await command('restart', 'shop', '--supervisor', '--json');
  assert.equal(replaced.code, 0, replaced.stderr);
  const { pid, predecessor } = JSON.parse(replaced.stdout).receipt;
  assert.equal(predecessor.pid, run.process.pid);
  await run.says(`fdpass run: process ${pid} is the supervisor from here, and has the workers\n`);
  await within('the end of the old one', async () => {
    while (run.process.exitCode === null) await nextTurn();
  });
  assert.equal(run.process.exitCode, 0);
  const { status } = JSON.parse((await command('status', 'shop', '--json')).stdout);
  assert.equal(status.pid, pid);
  assert.ok(status.pool.workers.some((worker: { pid: number }) => worker.pid === before));
  await within('the metrics of the new one', async () => {
    const read = () => ask({ port: metrics, path: '/metrics.json' }).catch(() => '{}');
    while (JSON.parse(await read()).primary?.pid !== pid) await nextTurn();
  });
  await ask({ port });
  assert.match((await command('restart', 'shop')).stdout, /^2 workers were replaced/);
  process.kill(pid, 'SIGTERM');
  const { stderr } = await run.end(); // the new one has its output
  assert.match(stderr, /SIGTERM: the workers let their connections end/);
  assert.match(stderr, /^fdpass run: 2 workers of an earlier supervisor serve on, as they were started: /m);
});

test('abort calls a roll off, and the workers that were not replaced serve on', async (t) => {
  const port = await freePort();
  const run = startRun(t, ['-i', '1'], { PORT: String(port), FAULT: 'silent@2' });
  await run.says('fdpass run: 1 worker serves\n');
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime(t) };
  const command = (...args: string[]) =>
    within(args.join(' '), () => start(t, process.execPath, [fdpass, ...args], { env }).ended);
  run.process.kill('SIGHUP');
  await run.says('SIGHUP: new workers\n');
  const aborted = await command('abort', 'shop');
  assert.equal(aborted.code, 0, aborted.stderr);
  await run.says(
    'fdpass run: the roll has stopped, the old workers serve on: the roll was ended: called off by fdpass abort',
  );
  assert.equal(JSON.parse(await ask({ port })).generation, 1);
  run.process.kill('SIGTERM');
  assert.equal((await run.end()).code, 0);
});

test('a roll that has failed is in the status, and what a worker died of is told once', async (t) => {
  const port = await freePort();
  const run = startRun(t, ['-i', '1', '--probation', '400'], { PORT: String(port), FAULT: 'crash@2' });
  await run.says('fdpass run: 1 worker serves\n');
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime(t) };
  const command = (...args: string[]) =>
    within(args.join(' '), () => start(t, process.execPath, [fdpass, ...args], { env }).ended);
  const rolled = await command('restart', 'shop', '--json');
  assert.equal(rolled.code, 2, rolled.stderr);
  const { reason, stderr } = JSON.parse(rolled.stdout);
  assert.match(reason, /^worker 1 \(pid \d+\) was no good: it has ended with exit code 5$/);
  assert.equal(stderr, 'no luck\n');
  const { lastFailure } = JSON.parse((await command('status', 'shop', '--json')).stdout).status;
  assert.deepEqual([lastFailure.code, lastFailure.reason], ['ERR_POOL_WORKER', reason]);
  run.process.kill('SIGTERM');
  assert.equal((await run.end()).code, 0);
});
