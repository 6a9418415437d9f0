// The primary is replaced, or killed, and the workers serve all the time.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { createHandoff, type Receipt } from 'fdpass';
import type { Balance, PoolOptions, PoolStatus, RollReceipt } from 'fdpass/pool';
import { type Child, startFixture } from '../helpers/child';
import { freePort } from '../helpers/free-port';
import { tmpDir } from '../helpers/tmp-dir';
import { askWorker, hammerWorkers } from '../helpers/worker-client';

const QUICK = { execArgv: [], probationMs: 50, timeouts: { drain: 5_000, exit: 1_000, warm: 20_000 } };

interface Primary {
  child: Child;
  pid: number;
  order(text: string): void;
  /** What it says of that event. Others before it are skipped. */
  says(event: string): Promise<Said>;
}

/** What there is of it depends on the event. */
interface Said {
  status: PoolStatus;
  roll: RollReceipt;
  receipt: Receipt;
  lines: string[];
  message?: string;
}

/** A place for the primaries of one pool; what is left of its workers is killed. */
class Scene {
  readonly address: string;
  readonly #t: TestContext;
  readonly #options: Partial<PoolOptions>;
  /** They end first: they would start workers anew. */
  readonly primaries = new Set<number>();
  readonly #pids = new Set<number>();

  constructor(t: TestContext, options: Partial<PoolOptions> = {}) {
    this.#t = t;
    this.#options = options;
    this.address = path.join(tmpDir(t), 'control');
    t.after(() => {
      for (const pid of [...this.primaries, ...this.#pids]) {
        try {
          process.kill(pid, 'SIGKILL');
        } catch {} // it has ended, as it should
      }
    });
  }

  start(more: Partial<PoolOptions> = {}): Primary {
    const { address } = this;
    const options = { name: 'shop', address, workers: 2, ...QUICK, ...this.#options, ...more };
    const child = startFixture(this.#t, 'pool-primary', [JSON.stringify(options)]);
    this.primaries.add(child.process.pid as number);
    const says = async (event: string): Promise<Said> => {
      for (;;) {
        const said = JSON.parse(await child.line()) as Said & { event: string; code: string };
        const pids = [...(said.status?.workers ?? []), ...(said.roll?.replaced ?? [])].map(({ pid }) => pid);
        for (const pid of pids) if (pid > 0) this.#pids.add(pid); // 0: there is none just now
        if (said.event === event) return said;
        if (said.event === 'failed') throw Object.assign(new Error(said.message), { code: said.code });
      }
    };
    return { child, pid: child.process.pid as number, order: (text) => child.write(`${text}\n`), says };
  }

  async serving(more: Partial<PoolOptions> = {}): Promise<Primary & { status: PoolStatus; port: number }> {
    const primary = this.start(more);
    const { status } = await primary.says('serving');
    return { ...primary, status, port: Number(status.listeners[0]?.address.split(':').at(-1)) };
  }
}

function pidsOf({ workers }: PoolStatus): number[] {
  return workers.filter(({ state }) => state === 'serving').map(({ pid }) => pid);
}

/** As the workers of a pool are, whose status is told again and again until that is so. */
async function until(primary: Primary, holds: (status: PoolStatus) => boolean): Promise<PoolStatus> {
  for (;;) {
    primary.order('status');
    const { status } = await primary.says('status');
    if (holds(status)) return status;
    await sleep(10);
  }
}

async function gone(pid: number): Promise<void> {
  while (existsSync(`/proc/${pid}`)) await sleep(10);
}

const BALANCES: readonly Balance[] = ['kernel', 'reuseport', 'least', 'sticky'];

for (const balance of BALANCES) {
  test(`${balance}: another primary takes the workers over under load, and no request fails`, async (t) => {
    const scene = new Scene(t, { balance });
    const first = await scene.serving();
    const stop = hammerWorkers(first.port);
    const second = await scene.serving();
    assert.deepEqual(pidsOf(second.status), pidsOf(first.status));
    assert.equal((await first.child.ended).code, 0);
    second.order('restart'); // it is the primary in every respect
    assert.equal((await second.says('restart')).roll.replaced.length, 2);
    const { answered, failed } = await stop();
    assert.deepEqual(failed, []);
    assert.ok(answered > 0);
    second.order('close');
    await second.says('close');
    assert.equal((await second.child.ended).code, 0);
    for (const pid of pidsOf(first.status)) await gone(pid);
    assert.deepEqual([existsSync(scene.address), existsSync(`${scene.address}.workers`)], [false, false]);
  });

  test(`${balance}: the primary is killed under load, and the next one finds its workers`, async (t) => {
    const scene = new Scene(t, { balance });
    const first = await scene.serving();
    const stop = hammerWorkers(first.port);
    first.child.process.kill('SIGKILL');
    await first.child.ended;
    assert.ok(pidsOf(first.status).includes((await askWorker(first.port)).pid));
    const second = await scene.serving();
    assert.deepEqual(pidsOf(second.status), pidsOf(first.status));
    assert.equal(second.port, first.port);
    const { failed } = await stop();
    // What was on its way to a worker dies with its primary, where that accepts.
    assert.ok(failed.length <= (balance === 'least' || balance === 'sticky' ? 3 : 0), String(failed[0]));
    second.order('restart');
    assert.equal((await second.says('restart')).roll.replaced.length, 2);
    second.order('close');
    await second.says('close');
  });
}

test('threads: another primary starts its own, and no request fails', async (t) => {
  const scene = new Scene(t, { kind: 'threads' });
  const first = await scene.serving();
  const stop = hammerWorkers(first.port);
  const second = await scene.serving();
  assert.equal((await first.child.ended).code, 0);
  assert.equal((await askWorker(first.port)).pid, second.pid);
  assert.deepEqual((await stop()).failed, []);
});

test('a primary that dies on probation gives the workers back', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving();
  const stop = hammerWorkers(first.port);
  const second = await scene.serving({ probationMs: 5_000 });
  second.child.process.kill('SIGKILL');
  await first.says('rolledback');
  const status = await until(first, (now) => pidsOf(now).length === 2);
  assert.deepEqual(pidsOf(status), pidsOf(first.status));
  assert.deepEqual((await stop()).failed, []);
  first.order('restart');
  assert.equal((await first.says('restart')).roll.replaced.length, 2);
});

test('upgrade() starts this program once more, which has the workers from there', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving();
  first.order('upgrade');
  const { receipt, message } = await first.says('upgrade');
  assert.equal(message, undefined);
  assert.equal(receipt.predecessor.pid, first.pid);
  scene.primaries.add(receipt.pid);
  if (first.child.process.exitCode === null) await once(first.child.process, 'exit'); // its stdout goes on
  const answer = await askWorker(first.port);
  assert.ok(pidsOf(first.status).includes(answer.pid));
  process.kill(receipt.pid, 0); // it lives
});

test('what workers print goes to the primary that they have', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving();
  const second = await scene.serving();
  await first.child.ended;
  await askWorker(first.port, '/say');
  for (;;) {
    second.order('logs');
    const { lines } = await second.says('logs');
    if (lines.includes('said')) break;
    await sleep(10);
  }
  second.child.process.kill('SIGKILL');
  await second.child.ended;
  await askWorker(first.port, '/say'); // to nobody: it lives on
  const third = await scene.serving();
  assert.deepEqual(pidsOf(third.status), pidsOf(first.status));
});

test("orphans: 'drain': without a primary the workers let their connections end, and end", async (t) => {
  const scene = new Scene(t, { orphans: 'drain' });
  const first = await scene.serving();
  first.child.process.kill('SIGKILL');
  for (const pid of pidsOf(first.status)) await gone(pid);
  await assert.rejects(askWorker(first.port), { code: 'ECONNREFUSED' });
});

test("orphans: 'drain': a primary that takes over keeps them", async (t) => {
  const scene = new Scene(t, { orphans: 'drain' });
  const first = await scene.serving();
  const second = await scene.serving();
  assert.deepEqual(pidsOf(second.status), pidsOf(first.status));
});

test('workers that open and close a port all the time are taken over and rolled, and no request fails', async (t) => {
  const [port, other] = [await freePort(), await freePort()];
  const exec = path.join(__dirname, '..', 'fixtures', 'reopening-worker.js');
  const env = { PORT: String(port), OTHER: String(other) };
  const scene = new Scene(t, { exec, register: true, env });
  let primary: Primary = await scene.serving();
  const stop = hammerWorkers(port);
  for (let round = 0; round < 3; round++) {
    const next = await scene.serving();
    assert.equal((await primary.child.ended).code, 0);
    primary = next;
  }
  primary.order('restart');
  assert.equal((await primary.says('restart')).roll.replaced.length, 2);
  const { answered, failed } = await stop();
  assert.deepEqual(failed, []);
  assert.ok(answered > 0);
  primary.order('close');
  await primary.says('close');
});

test('a worker that has crashed without a primary is replaced by the next one', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving();
  first.child.process.kill('SIGKILL');
  await first.child.ended;
  const [one, other] = pidsOf(first.status) as [number, number];
  process.kill(one, 'SIGKILL');
  await gone(one);
  const second = await scene.serving();
  const status = await until(second, (now) => pidsOf(now).length === 2);
  assert.ok(pidsOf(status).includes(other));
});

test('a place that a new primary adds to those it keeps has not crashed', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving({ workers: 1 });
  first.child.process.kill('SIGKILL');
  await first.child.ended;
  const second = await scene.serving({ workers: 2 });
  const { workers } = await until(second, (now) => pidsOf(now).length === 2);
  assert.deepEqual(
    workers.map(({ restarts }) => restarts),
    [0, 0],
  );
});

test('what scale() has set counts for the next primary', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving();
  first.order('scale');
  await first.says('scale');
  const second = await scene.serving();
  assert.equal(pidsOf(second.status).length, 3);
});

test('a primary with another balance is refused, and the one that serves goes on', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving();
  await assert.rejects(scene.serving({ balance: 'least' }), {
    code: 'ERR_HANDOFF_STATE',
    message: /'kernel'/,
  });
  first.order('restart');
  assert.equal((await first.says('restart')).roll.replaced.length, 2);
});

for (const [before, after] of [
  ['least', 'kernel'],
  ['kernel', 'least'],
  ['sticky', 'reuseport'],
  ['reuseport', 'sticky'],
] as const) {
  test(`workers of a killed primary with ${before} serve one with ${after}, too`, async (t) => {
    const scene = new Scene(t);
    const first = await scene.serving({ balance: before });
    first.child.process.kill('SIGKILL');
    await first.child.ended;
    const second = await scene.serving({ balance: after });
    assert.deepEqual(pidsOf(second.status), pidsOf(first.status));
    for (let i = 0; i < 4; i++) await askWorker(first.port);
    second.order('restart');
    await second.says('restart');
    for (let i = 0; i < 4; i++) await askWorker(first.port);
  });
}

test('a program of that name that is no pool does not take the pool over', async (t) => {
  const scene = new Scene(t);
  const first = await scene.serving();
  const { address } = scene;
  await assert.rejects(
    createHandoff({ name: 'shop', address }),
    /shop is a pool here .*, and the successor is none/,
  );
  await askWorker(first.port);
  first.order('restart');
  assert.equal((await first.says('restart')).roll.replaced.length, 2);
});

test('a service of that name that is no pool is left alone', async (t) => {
  const scene = new Scene(t);
  const service = await createHandoff({ name: 'shop', address: scene.address });
  t.after(() => service.close());
  await service.ready();
  await assert.rejects(scene.serving(), { message: /shop is no pool here .*, and the successor is one/ });
  assert.equal(service.status().state, 'serving');
});

test('while workers are replaced no other primary takes over', async (t) => {
  const scene = new Scene(t, { probationMs: 500 });
  const first = await scene.serving();
  first.order('restart');
  await until(first, ({ roll }) => roll !== undefined);
  await assert.rejects(scene.serving(), { code: 'ERR_HANDOFF_BUSY', message: /replacing its workers/ });
  assert.equal((await first.says('restart')).roll.replaced.length, 2);
});
