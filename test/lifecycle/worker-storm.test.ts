// Worker threads that are terminated at any moment of their life, several at once, again and again.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { settledFdCount } from '../helpers/fd-count';

const ROUNDS = 50;
const AT_ONCE = 4;

type Source = 'libuv' | 'thread';

const compiled = path.join(__dirname, '..');
const preload: Record<Source, string[]> = {
  libuv: [],
  thread: [`--require=${path.join(compiled, 'helpers/poll-thread.js')}`],
};

/**
 * Sends descriptors through every kind of socket until it is terminated, and says when it has received `messages`.
 * @param source of readiness
 */
function startTraffic(source: Source, messages: number): Worker {
  const file = path.join(compiled, 'fixtures/traffic-worker.js');
  return new Worker(file, { workerData: { ending: 'never', messages }, execArgv: preload[source] });
}

/**
 * When the `n`th one is terminated: before it has run (0), while it loads the addon (1), while it opens its sockets (2), or
 * in the middle of traffic that is up to a hundred messages old.
 */
async function terminate(worker: Worker, n: number): Promise<void> {
  const moment = n % 8;
  if (moment === 1 || moment === 2) await once(worker, 'online');
  if (moment === 2) await new Promise((resolve) => setImmediate(resolve));
  if (moment > 2) await once(worker, 'message');
  await worker.terminate();
}

test(`${AT_ONCE} workers at once, terminated at any moment, ${ROUNDS} times: none leaves a descriptor`, async () => {
  await terminate(startTraffic('libuv', 1), 3); // the first of a process leaves things of Node open
  const before = await settledFdCount();
  for (let round = 0; round < ROUNDS; round++) {
    const source = round % 2 === 0 ? 'libuv' : 'thread';
    const numbers = Array.from({ length: AT_ONCE }, (_, index) => round * (AT_ONCE + 1) + index);
    await Promise.all(numbers.map((n) => terminate(startTraffic(source, 1 + ((n * 7) % 100)), n)));
    assert.equal(await settledFdCount(), before, `round ${round}, ${source}`);
  }
});

test('a hundred workers, each terminated inside of the addon: the process lives, and they leave no descriptor', async () => {
  const before = await settledFdCount();
  for (let n = 0; n < 100; n++) {
    const worker = new Worker(path.join(compiled, 'fixtures/tight-worker.js'));
    await once(worker, 'message');
    await delay(n % 7);
    await worker.terminate();
  }
  assert.equal(await settledFdCount(), before);
});
