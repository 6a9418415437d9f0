// Worker threads: several environments at once, ended in every way, and nothing of them is left.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { Fd, type Message, UnixDatagram } from 'fdpass';
import type { Ending } from '../fixtures/traffic-worker';
import { settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';

function startWorker(ending: Ending, messages: number, collect = false): Worker {
  const file = path.join(__dirname, '..', 'fixtures', 'traffic-worker.js');
  return new Worker(file, { workerData: { ending, messages, collect }, execArgv: [] });
}

async function exitCode(worker: Worker): Promise<number> {
  const [code] = (await once(worker, 'exit')) as [number];
  return code;
}

/** The first worker of a process leaves things of Node open. */
async function countBefore(): Promise<number> {
  await exitCode(startWorker('clean', 2));
  return await settledFdCount();
}

for (const ending of ['clean', 'open', 'exit'] as const) {
  test(`a worker that ends '${ending}' leaves no descriptor`, async () => {
    const before = await countBefore();
    for (let i = 0; i < 3; i++) assert.equal(await exitCode(startWorker(ending, 100)), 0);
    assert.equal(await settledFdCount(), before);
  });
}

test('several workers and the main thread use the addon at once', async (t) => {
  const before = await countBefore();
  const pair = UnixDatagram.pair({ maxFds: 1 });
  closeAfter(t, ...pair);
  const exits = Array.from({ length: 4 }, () => exitCode(startWorker('clean', 2000)));
  let running = true;
  const all = Promise.all(exits).finally(() => {
    running = false;
  });
  let received = 0;
  pair[1].on('message', ({ fds }: Message) => {
    received++;
    for (const fd of fds) fd.close();
  });
  let sent = 0;
  for (; running; sent++) {
    await pair[0].send('main', undefined, { fds: [0] });
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.deepEqual(await all, [0, 0, 0, 0]);
  while (received < sent) await once(pair[1], 'message');
  for (const socket of pair) await socket.close();
  assert.equal(await settledFdCount(), before);
});

test('terminating a worker in the middle of traffic, 20 times, leaves no descriptor', async () => {
  const before = await countBefore();
  for (let i = 0; i < 20; i++) {
    const worker = startWorker('never', 1 + i * 20);
    await once(worker, 'message');
    await worker.terminate();
  }
  assert.equal(await settledFdCount(), before);
});

test('terminating several workers at once leaves no descriptor', async () => {
  const before = await countBefore();
  const workers = Array.from({ length: 4 }, () => startWorker('never', 50));
  await Promise.all(workers.map((worker) => once(worker, 'message')));
  await Promise.all(workers.map((worker) => worker.terminate()));
  assert.equal(await settledFdCount(), before);
});

test('a worker goes on, and is terminated, under constant garbage collection', async () => {
  assert.ok(global.gc, 'run with --expose-gc');
  const before = await countBefore();
  let collecting = true;
  const collect = (): void => {
    global.gc?.();
    if (collecting) setImmediate(collect);
  };
  collect();
  assert.equal(await exitCode(startWorker('clean', 1000, true)), 0);
  for (let i = 0; i < 3; i++) {
    const worker = startWorker('never', 100, true);
    await once(worker, 'message');
    await worker.terminate();
  }
  collecting = false;
  assert.equal(await settledFdCount(), before);
});

test('a worker’s detached descriptor outlives the worker, one that it owns does not', async () => {
  const before = await countBefore();
  const code = `
    const { Fd } = require(${JSON.stringify(require.resolve('fdpass'))});
    const { parentPort } = require('node:worker_threads');
    const owned = Fd.dup(0);
    parentPort.postMessage({ owned: owned.fd, detached: Fd.dup(0).detach() });
    setInterval(() => owned, 1000);`;
  const worker = new Worker(code, { eval: true, execArgv: [] });
  const [{ owned, detached }] = (await once(worker, 'message')) as [{ owned: number; detached: number }];
  await worker.terminate();
  assert.throws(() => Fd.adopt(owned), { code: 'EBADF' });
  Fd.adopt(detached).close();
  assert.equal(await settledFdCount(), before);
});
