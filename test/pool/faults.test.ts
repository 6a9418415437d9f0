// Workers that do what they must not, and processes without descriptors: what is told, and who serves meanwhile.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Balance, createPool, type Pool, type PoolOptions, type WorkerError } from 'fdpass/pool';
import { askWorker } from '../helpers/worker-client';

const EXEC = path.join(__dirname, '..', 'fixtures', 'pool-worker.js');
const QUICK = {
  probationMs: 50,
  timeouts: { drain: 2_000, exit: 1_000, warm: 20_000 },
  restart: { minMs: 10 },
};

async function open(t: TestContext, options: Partial<PoolOptions>): Promise<{ pool: Pool; port: number }> {
  const pool = await createPool({ workers: 2, output: 'event', ...QUICK, ...options });
  t.after(() => pool.close());
  return { pool, port: Number(pool.status().listeners[0]?.address.split(':').at(-1)) };
}

/** A program behind a limit of descriptors. */
function limited(descriptors: number): Partial<PoolOptions> {
  const script = `ulimit -n ${descriptors}; exec "$@"`;
  return { command: ['sh', '-c', script, 'sh', process.execPath, EXEC] };
}

const BALANCES: readonly Balance[] = ['kernel', 'least'];

for (const balance of BALANCES) {
  test(`${balance}: a worker that leaks descriptors is replaced when it has answered, and the reason told`, async (t) => {
    const heartbeat = { intervalMs: 20 };
    const { pool, port } = await open(t, { ...limited(64), workers: 1, balance, heartbeat });
    const crashed = once(pool, 'crash');
    const slow = askWorker(port, '/slow');
    await askWorker(port, '/leak').catch(() => {}); // it may have none left to answer with
    if (balance === 'least') await askWorker(port).catch(() => {});
    const [error] = (await crashed) as [Error];
    assert.match(error.message, /no free (descriptors|ones)/);
    assert.equal((await slow).generation, 1);
    const { generation } = await askWorker(port);
    assert.equal(generation, 2);
  });
}

test('a worker that talks nonsense is ended, and told', async (t) => {
  const { pool, port } = await open(t, { exec: EXEC, execArgv: [], env: { FAULT: 'nonsense' } });
  const crashed = once(pool, 'crash');
  await askWorker(port, '/nonsense').catch(() => {});
  const [error] = (await crashed) as [Error];
  assert.match(error.message, /what it says makes no sense: a worker does not say riddles/);
  await askWorker(port);
});

test('what a worker prints to stderr behind the end of its link is told', async () => {
  const script = `
    require('node:fs').closeSync(3);
    setTimeout(() => { console.error('no database'); process.exitCode = 3; }, 50);`;
  await assert.rejects(
    createPool({ command: [process.execPath, '-e', script], workers: 1, output: 'event', ...QUICK }),
    (error: WorkerError) => {
      assert.deepEqual([error.stderr, error.exitCode], ['no database\n', 3]);
      return true;
    },
  );
});

test('a program that ends well because it cannot listen is told with why', async (t) => {
  const taken = net.createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  t.after(() => taken.close());
  const { port } = taken.address() as net.AddressInfo;
  const script = `require('net').createServer().on('error', () => {}).listen(${port}, '127.0.0.1');`;
  await assert.rejects(
    createPool({ command: [process.execPath, '-e', script], register: true, workers: 1, ...QUICK }),
    ({ message, exitCode, listenError }: WorkerError) => {
      assert.match(listenError ?? '', /^bind EADDRINUSE 127\.0\.0\.1:\d+ \(held by /);
      assert.ok(
        message.endsWith(`was no good: it has ended with exit code 0: it could not listen: ${listenError}`),
      );
      return exitCode === 0;
    },
  );
});

test('a program that ends well and knows nothing of pools is asked for the option register', async () => {
  await assert.rejects(createPool({ command: [process.execPath, '-e', '0'], workers: 1, ...QUICK }), {
    message: /it has ended with exit code 0, and has not said a word: .* listen\(\) with the option register/,
  });
});

test('what a thread has thrown is in what it has printed, as of a process', async (t) => {
  const { pool, port } = await open(t, { exec: EXEC, execArgv: [], workers: 1, kind: 'threads' });
  const printed: string[] = [];
  pool.on('output', (_worker, stream, chunk) => printed.push(`${stream}: ${chunk}`));
  const crashed = once(pool, 'crash');
  await assert.rejects(askWorker(port, '/throw'));
  const [error] = (await crashed) as [WorkerError];
  assert.match(error.message, /^worker 1 \(thread \d+\) was no good: an error was not caught: not caught$/);
  assert.match(printed.join(''), /^stderr: Error: not caught\n {4}at .*pool-worker\.js/);
});

test('a worker whose fdpass speaks another version of the protocol is ended, and the versions are told', async () => {
  const script = `
    const { Fd, UnixSeqpacket } = require('fdpass');
    const hello = { type: 'hello', versions: [7, 9], pid: process.pid };
    void UnixSeqpacket.adopt(Fd.adopt(3)).send(JSON.stringify(hello));
    setInterval(() => {}, 60_000);`;
  await assert.rejects(
    createPool({ command: [process.execPath, '-e', script], workers: 1, cwd: path.dirname(EXEC), ...QUICK }),
    {
      code: 'ERR_POOL_WORKER',
      message:
        /was no good: its fdpass speaks versions 7 to 9 of the protocol of pools, and this one 1 to 1$/,
    },
  );
});

test('a worker that does not end when it is told to is killed when its time is over', async (t) => {
  const timeouts = { drain: 300, exit: 100, warm: 20_000 };
  const { pool } = await open(t, { exec: EXEC, execArgv: [], workers: 1, timeouts });
  const [worker] = pool.status().workers;
  process.kill(worker?.pid as number, 'SIGSTOP');
  const exited = once(pool, 'exit');
  await pool.restart();
  const [info, reason] = await exited;
  assert.equal(info.pid, worker?.pid);
  assert.match(reason, /it did not end when it was told to within 500 ms/);
});
