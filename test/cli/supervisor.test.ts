// The supervisor of `fdpass run`: what signals, changed files and failures make it do, and its exit code.
import assert from 'node:assert/strict';
import { EventEmitter, once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { PassThrough } from 'node:stream';
import test from 'node:test';
import type { Receipt } from 'fdpass';
import type { WorkerError } from 'fdpass/pool';
import { Announcer } from '#fdpass/cli/announcer';
import type { RunPool, RunWorker } from '#fdpass/cli/run-pool';
import { Supervisor } from '#fdpass/cli/supervisor';
import type { LogLine } from '#fdpass/handoff/pool-commands';
import type { PoolStatus, RollReceipt } from '#fdpass/handoff/pool-status';
import { LogBook } from '#fdpass/pool/log-book';
import type { PoolEvents } from '#fdpass/pool/pool';
import { workerStatus } from '../helpers/fake-pool';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

/** A promise that the test settles. */
class Deferred<T> {
  resolve!: (value: T) => void;
  reject!: (error: Error) => void;
  readonly promise = new Promise<T>((resolve, reject) => {
    this.resolve = resolve;
    this.reject = reject;
  });
}

/** Begins, rolls and closes when the test says so. */
class FakeRunPool extends EventEmitter<PoolEvents> implements RunPool {
  readonly asked = new EventEmitter();
  readonly generation = 1;
  readonly logs = new LogBook({ now: () => 0 });
  closes = 0;
  workers = [
    workerStatus(1),
    workerStatus(4, { pid: 0, state: 'starting' }),
    workerStatus(2, { state: 'probation' }),
    workerStatus(2, { pid: 0, state: 'waiting' }),
    workerStatus(3, { threadId: 1 }),
  ];
  begun = new Deferred<void>();
  rolls: Deferred<RollReceipt>[] = [];
  closed = new Deferred<void>();

  begin(): Promise<void> {
    return this.begun.promise;
  }

  async restart(): Promise<RollReceipt> {
    const roll = new Deferred<RollReceipt>();
    this.rolls.push(roll);
    this.asked.emit('roll');
    try {
      const receipt = await roll.promise;
      this.emit('rolled', receipt);
      return receipt;
    } catch (error) {
      this.emit('unrolled', error as Error);
      throw error;
    }
  }

  print(worker: RunWorker, text: Partial<Record<LogLine['stream'], string>>): void {
    const writer = this.logs.open(worker, () => worker.pid);
    for (const [stream, what] of Object.entries(text))
      writer.write(stream as LogLine['stream'], Buffer.from(what));
    writer.end();
  }

  close(): Promise<void> {
    this.closes++;
    this.asked.emit('close');
    return this.closed.promise;
  }

  status(): PoolStatus {
    const { workers } = this;
    return { balance: 'kernel', kind: 'processes', size: 3, listeners: [], workers };
  }
}

const ROLLED: RollReceipt = { replaced: [], ms: 1 };

function play({ watch, json = false, slowMs }: { watch?: string[]; json?: boolean; slowMs?: number } = {}) {
  const pools: FakeRunPool[] = [];
  const made = new EventEmitter();
  const signals = new EventEmitter();
  const streams = { stdout: new PassThrough(), stderr: new PassThrough() };
  const killed: [number, string][] = [];
  const exits: number[] = [];
  const tidied: number[] = [];
  const announcer = new Announcer('shop', { json, env: {}, streams });
  const supervisor = new Supervisor({
    name: 'shop',
    makePool: () => {
      const pool = new FakeRunPool();
      pools.push(pool);
      made.emit('pool');
      return pool;
    },
    watch,
    announcer,
    signals,
    kill: (pid, signal) => killed.push([pid, signal]),
    exit: (code) => exits.push(code),
    tidy: ({ pid }) => tidied.push(pid),
    readiness: 'its program listens',
    ...(slowMs === undefined ? {} : { slowMs }),
  });
  const ended = supervisor.run();
  let seen = '';
  return {
    pool: pools[0] as FakeRunPool,
    /** The pool of the second start. */
    async next(): Promise<FakeRunPool> {
      return await within('a second start', async () => {
        if (pools.length < 2) await once(made, 'pool');
        return pools[1] as FakeRunPool;
      });
    },
    signals,
    supervisor,
    killed,
    exits,
    tidied,
    ended: () => within('the end', () => ended),
    stdout: () => String(streams.stdout.read() ?? ''),
    /** What it has said so far. */
    stderr: () => (seen += String(streams.stderr.read() ?? '')),
    async says(text: string): Promise<void> {
      await within(text, async () => {
        while (!seen.includes(text)) {
          if (streams.stderr.readableLength === 0) await once(streams.stderr, 'readable');
          seen += String(streams.stderr.read() ?? '');
        }
      });
    },
  };
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} closes the pool, and the exit code is 0`, async () => {
    const { pool, signals, ended, says } = play();
    pool.begun.resolve();
    await says('fdpass run: 3 workers serve\n');
    signals.emit(signal);
    await says(`fdpass run: ${signal}: the workers let their connections end; once more ends them at once\n`);
    assert.ok(pool.closes > 0);
    pool.closed.resolve();
    assert.equal(await ended(), 0);
    assert.deepEqual(signals.eventNames(), [], 'signals are given back');
  });
}

test('a second signal ends all at once, with the code of a shell', async () => {
  const { pool, signals, killed, exits, ended, says } = play();
  pool.begun.resolve();
  await says('serve');
  signals.emit('SIGTERM');
  signals.emit('SIGINT');
  assert.deepEqual(killed, [
    [1_001, 'SIGKILL'],
    [1_002, 'SIGKILL'],
  ]);
  assert.deepEqual(exits, [130]);
  pool.closed.resolve();
  assert.equal(await ended(), 130, 'also if the workers are faster');
});

test('a second signal ends also those that boot', async () => {
  const { pool, signals, killed, ended } = play();
  pool.workers = [workerStatus(1, { state: 'starting' })];
  signals.emit('SIGTERM');
  signals.emit('SIGTERM');
  assert.deepEqual(killed, [[1_001, 'SIGKILL']]);
  pool.begun.reject(new Error('called off'));
  pool.closed.resolve();
  assert.equal(await ended(), 143);
});

test('a signal while it starts calls the start off, and the exit code is 0', async () => {
  const { pool, signals, ended, stderr } = play();
  signals.emit('SIGTERM');
  pool.begun.reject(new Error('called off'));
  pool.closed.resolve();
  assert.equal(await ended(), 0);
  assert.doesNotMatch(stderr(), /failed/);
});

for (const [what, error, code] of [
  ['exit code 7', { exitCode: 7 }, 7],
  ['SIGSEGV', { exitCode: null, signal: 'SIGSEGV' }, 139],
  ['no such program', { code: 'ENOENT' }, 127],
  ['a program that may not run', { code: 'ERR_POOL_WORKER', cause: { code: 'EACCES' } }, 126],
  ['something else', { code: 'ERR_POOL_WORKER' }, 1],
] as const) {
  test(`a first start that fails with ${what} is exit code ${code}, and says why in one line`, async () => {
    const { pool, ended, stderr } = play();
    pool.begun.reject(Object.assign(new Error('worker 1 was no good\n--- stderr ---\nmore'), error));
    assert.equal(await ended(), code);
    assert.equal(stderr(), 'fdpass run: the start has failed: worker 1 was no good\n');
  });
}

test('a program that ends well before it serves is exit code 1, and is told what it lacks', async () => {
  const { pool, ended, stderr } = play();
  pool.begun.reject(Object.assign(new Error('worker 1 ended with exit code 0'), { exitCode: 0 }));
  assert.equal(await ended(), 1);
  const help = 'before it was ready: a worker is when its program listens';
  assert.equal(stderr(), `fdpass run: the start has failed: worker 1 ended with exit code 0, ${help}\n`);
});

for (const [what, error, text] of [
  ['could not listen', { exitCode: 0, listenError: 'bind EADDRINUSE' }, ''],
  [
    'has the name of another one',
    { code: 'ERR_HANDOFF_BUSY' },
    '; give another --name, if that is another service',
  ],
] as const) {
  test(`a program that ${what} is told what helps, not what a worker is`, async () => {
    const { pool, ended, stderr } = play();
    pool.begun.reject(Object.assign(new Error('no good'), error));
    assert.equal(await ended(), 1);
    assert.equal(stderr(), `fdpass run: the start has failed: no good${text}\n`);
  });
}

test('a start that takes long is told, with what it waits for', async () => {
  const { pool, signals, ended, says } = play({ slowMs: 1 });
  await says('fdpass run: 1 worker is not ready after 0.0 s: a worker is when its program listens\n');
  pool.begun.resolve();
  await says('serve');
  signals.emit('SIGTERM');
  pool.closed.resolve();
  assert.equal(await ended(), 0);
});

test('SIGHUP rolls; what comes during a roll is one more roll behind it', async () => {
  const { pool, signals, ended, says } = play();
  signals.emit('SIGHUP'); // too early: what is started is new
  pool.begun.resolve();
  await says('serve');
  assert.equal(pool.rolls.length, 0);
  signals.emit('SIGHUP');
  assert.equal(pool.rolls.length, 1);
  signals.emit('SIGHUP');
  signals.emit('SIGHUP');
  assert.equal(pool.rolls.length, 1);
  const second = once(pool.asked, 'roll');
  pool.rolls[0]?.resolve({ ...ROLLED, ms: 1_500 });
  await second;
  await says('fdpass run: 0 workers were replaced in 1.5 s\n');
  pool.rolls[1]?.reject(new Error('worker 2 was no good'));
  await says('fdpass run: the roll has stopped, the old workers serve on: worker 2 was no good\n');
  assert.equal(pool.rolls.length, 2);
  signals.emit('SIGTERM');
  pool.closed.resolve();
  assert.equal(await ended(), 0);
});

test('rolls that somebody else has asked for are told and counted, too', async () => {
  const { pool, signals, supervisor, ended, says } = play();
  pool.begun.resolve();
  await says('serve');
  pool.emit('rolled', { ...ROLLED, ms: 2_000 });
  await says('fdpass run: 0 workers were replaced in 2.0 s\n');
  pool.emit('unrolled', Object.assign(new Error('worker 1 was no good'), { served: true }));
  await says('fdpass run: the roll has stopped, the old workers serve on: worker 1 was no good\n');
  pool.emit('unrolled', new Error('worker 2 was no good'));
  assert.deepEqual(supervisor.report().rolls, { committed: 1, failed: 1, rolledback: 1 });
  signals.emit('SIGTERM');
  pool.closed.resolve();
  assert.equal(await ended(), 0);
});

test('one that is superseded waits for the workers that are left to it, and ends with exit code 0', async () => {
  const { pool, ended, says } = play();
  pool.begun.resolve();
  await says('serve');
  pool.emit('superseded', { pid: 77 } as Receipt);
  await says('fdpass run: process 77 is the supervisor from here, and has the workers\n');
  pool.closed.resolve();
  assert.equal(await ended(), 0);
  assert.ok(pool.closes > 0);
});

test('signals that are the program’s go to the workers that serve, if they are processes', async () => {
  const { pool, signals, killed, ended, says } = play();
  pool.begun.resolve();
  await says('serve');
  pool.workers = [
    workerStatus(1),
    workerStatus(2, { state: 'starting' }), // it has no handler yet: SIGUSR2 would end it
    workerStatus(3, { state: 'probation' }),
    workerStatus(4, { state: 'leaving' }),
    workerStatus(5, { pid: 0, state: 'waiting' }),
    workerStatus(6, { threadId: 1 }),
  ];
  const forwarded = ['SIGUSR1', 'SIGUSR2', 'SIGWINCH', 'SIGCONT'];
  for (const signal of forwarded) signals.emit(signal);
  assert.deepEqual(
    killed,
    forwarded.flatMap((signal) => [1_001, 1_003, 1_004].map((pid) => [pid, signal])),
  );
  signals.emit('SIGTERM');
  pool.closed.resolve();
  await ended();
});

test('workers of an earlier supervisor are told, and how many serve', async () => {
  const { pool, signals, ended, says } = play();
  const info = (worker: number) => ({ worker, generation: 1, pid: 1_000 + worker });
  pool.workers = [workerStatus(1), workerStatus(2), workerStatus(3, { state: 'starting' })];
  pool.emit('kept', info(1));
  pool.emit('kept', info(2));
  pool.begun.resolve();
  await says(
    'fdpass run: 2 of 3 workers serve\n' +
      'fdpass run: 2 workers of an earlier supervisor serve on, as they were started: fdpass restart shop replaces them\n',
  );
  pool.emit('kept', info(3));
  await says(
    'fdpass run: worker 3 (pid 1003) of an earlier supervisor serves on, as it was started: fdpass restart shop replaces it\n',
  );
  signals.emit('SIGTERM');
  pool.closed.resolve();
  assert.equal(await ended(), 0);
});

test('lines of workers have their prefix and their stream, a crash is told in one line', async () => {
  const { pool, signals, tidied, ended, says, stdout } = play();
  const worker = { worker: 2, generation: 3, pid: 123 };
  pool.print(worker, { stdout: 'hello\nworld', stderr: 'oh\n' });
  await says('shop/2.3 | oh\n');
  pool.begun.resolve();
  pool.emit('crash', new Error('worker 2 (pid 123) ended with exit code 1\nmore') as WorkerError, 200);
  await says('fdpass run: worker 2 (pid 123) ended with exit code 1; again in 200 ms\n');
  pool.emit('exit', worker, 'exit code 1', false);
  signals.emit('SIGTERM');
  pool.closed.resolve();
  await ended();
  assert.equal(stdout(), 'shop/2.3 | hello\nshop/2.3 | world\n');
  assert.deepEqual(tidied, [123]);
});

test('--json has an object for each line, its own ones too', async () => {
  const { pool, signals, ended, says, stdout, stderr } = play({ json: true });
  pool.print({ worker: 1, generation: 1, pid: 5 }, { stdout: 'hello\n' });
  pool.begun.resolve();
  await says('serving');
  signals.emit('SIGTERM');
  pool.closed.resolve();
  await ended();
  const time = '1970-01-01T00:00:00.000Z';
  const line = { time, worker: 1, generation: 1, pid: 5, stream: 'stdout', line: 'hello' };
  assert.deepEqual(JSON.parse(stdout()), line);
  const own = stderr()
    .trimEnd()
    .split('\n')
    .map((text) => JSON.parse(text));
  assert.deepEqual(
    own.map(({ event }) => event),
    ['serving', 'stopping'],
  );
  assert.ok(own.every(({ time, message }) => !Number.isNaN(Date.parse(time)) && typeof message === 'string'));
});

test('--watch rolls when a file changes, and says which', async (t) => {
  const folder = tmpDir(t);
  const { pool, signals, ended, says } = play({ watch: [folder] });
  pool.begun.resolve();
  await says('serve');
  const rolled = once(pool.asked, 'roll');
  writeFileSync(path.join(folder, 'a.js'), '');
  await within('a roll', () => rolled);
  await says(`fdpass run: ${path.relative('', path.join(folder, 'a.js'))} changed: new workers\n`);
  pool.rolls[0]?.resolve(ROLLED);
  signals.emit('SIGTERM');
  pool.closed.resolve();
  assert.equal(await ended(), 0);
});

test('--watch waits for a change after a start that has failed, and starts again', async (t) => {
  const folder = tmpDir(t);
  const { pool, next, signals, ended, says } = play({ watch: [folder] });
  pool.begun.reject(Object.assign(new Error('a syntax error'), { exitCode: 1 }));
  await says('fdpass run: waits for a change\n');
  writeFileSync(path.join(folder, 'a.js'), '');
  const second = await next();
  second.begun.reject(new Error('another one'));
  await says('another one');
  signals.emit('SIGINT');
  second.closed.resolve();
  assert.equal(await ended(), 0, 'it may be ended while it waits');
});

test('--watch does not miss a change during a start that fails', async (t) => {
  const folder = tmpDir(t);
  const { pool, next, signals, ended, says } = play({ watch: [folder] });
  writeFileSync(path.join(folder, 'a.js'), '');
  await says('changed\n');
  pool.begun.reject(new Error('no'));
  const second = await next();
  signals.emit('SIGTERM');
  second.begun.reject(new Error('called off'));
  second.closed.resolve();
  assert.equal(await ended(), 0);
});
