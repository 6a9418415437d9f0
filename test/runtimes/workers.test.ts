// Worker threads of the runtime that this is. Of Node's more is shown by test/lifecycle.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { Worker } from 'node:worker_threads';
import { UnixDatagram } from 'fdpass';

/** Waits with an open socket, when it has received a descriptor. */
const program = `
  const { parentPort } = require('node:worker_threads');
  const { UnixDatagram } = require(${JSON.stringify(require.resolve('fdpass'))});
  const [left, right] = UnixDatagram.pair({ maxFds: 1 });
  right.on('message', ({ fds }) => parentPort.postMessage(fds.length));
  left.trySend('x', undefined, { fds: [0] });`;

test('workers receive descriptors, and are terminated with open sockets while others go on', async () => {
  const [left, right] = UnixDatagram.pair();
  for (let i = 0; i < 5; i++) {
    const workers = Array.from({ length: 2 }, () => new Worker(program, { eval: true, execArgv: [] }));
    const messages = await Promise.all(workers.map((worker) => once(worker, 'message')));
    assert.deepEqual(messages.flat().map(Number), [1, 1]);
    await Promise.all(workers.map((worker) => worker.terminate()));
    left.trySend(`${i}`);
    assert.equal((await right.receive()).data.toString(), `${i}`);
  }
  for (const socket of [left, right]) await socket.close();
});
