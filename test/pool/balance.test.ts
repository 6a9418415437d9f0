// Who gets a connection: the pool with each of its balances, and real workers.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Balance, byCookie, createPool, type Pool, type PoolOptions } from 'fdpass/pool';
import { hammerWorkers } from '../helpers/worker-client';

const EXEC = path.join(__dirname, '..', 'fixtures', 'pool-worker.js');
const QUICK = { execArgv: [], probationMs: 50, timeouts: { drain: 5_000, exit: 1_000, warm: 20_000 } };
const BALANCES: readonly Balance[] = ['kernel', 'reuseport', 'least', 'sticky'];

async function open(t: TestContext, options: Partial<PoolOptions>): Promise<{ pool: Pool; port: number }> {
  const pool = await createPool({ exec: EXEC, workers: 2, output: 'event', ...QUICK, ...options });
  t.after(() => pool.close());
  return { pool, port: Number(pool.status().listeners[0]?.address.split(':').at(-1)) };
}

interface Client {
  /** @returns the process that answers */
  ask(url?: string): Promise<number>;
  close(): void;
}

/** One connection that stays. */
function connect(port: number, localAddress = '127.0.0.1', headers = {}): Client {
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  return {
    ask: (url = '/') =>
      new Promise((resolve, reject) => {
        const options = { port, host: '127.0.0.1', localAddress, path: url, agent, headers };
        const request = http.get(options, async (response) => {
          let text = '';
          for await (const chunk of response) text += chunk;
          resolve(JSON.parse(text).pid);
        });
        request.on('error', reject);
      }),
    close: () => agent.destroy(),
  };
}

function tally(pids: readonly number[]): number[] {
  const counts = new Map<number, number>();
  for (const pid of pids) counts.set(pid, (counts.get(pid) ?? 0) + 1);
  return [...counts.values()].sort((a, b) => a - b);
}

for (const balance of BALANCES) {
  test(`${balance}: a roll under load replaces every worker and loses no request`, async (t) => {
    const { pool, port } = await open(t, { balance });
    assert.equal(pool.status().balance, balance);
    const stop = hammerWorkers(port);
    const { replaced } = await pool.restart();
    assert.equal(replaced.length, 2);
    const { answered, failed } = await stop();
    assert.deepEqual(failed, []);
    assert.ok(answered > 0);
  });

  test(`${balance}: scaled down and up under load no request is lost`, async (t) => {
    const { pool, port } = await open(t, { balance, workers: 3 });
    const stop = hammerWorkers(port);
    await pool.scale(1);
    await pool.scale(2);
    const { failed } = await stop();
    assert.deepEqual(failed, []);
  });

  test(`${balance}: clients wait for the next worker when the only one has crashed`, async (t) => {
    const { pool, port } = await open(t, { balance, workers: 1, restart: { minMs: 300 } });
    const [before] = pool.status().workers;
    const crashed = once(pool, 'crash');
    await assert.rejects(connect(port).ask('/crash'));
    await crashed;
    const client = connect(port);
    assert.notEqual(await client.ask(), before?.pid);
    client.close();
  });
}

test('least: of many connections that stay each worker gets the same number', async (t) => {
  const { port } = await open(t, { balance: 'least' });
  const clients = Array.from({ length: 40 }, () => connect(port));
  const pids = await Promise.all(clients.map((client) => client.ask()));
  assert.deepEqual(tally(pids), [20, 20]);
  for (const client of clients) client.close();
});

test('least: a worker whose connections have ended gets the next ones', async (t) => {
  const { pool, port } = await open(t, { balance: 'least', heartbeat: { intervalMs: 20 } });
  const clients = Array.from({ length: 6 }, () => connect(port));
  const pids = await Promise.all(clients.map((client) => client.ask()));
  const left = pids[0] as number;
  const told = (): number | undefined => pool.status().workers.find(({ pid }) => pid === left)?.connections;
  while (told() !== 3) await nextTurn();
  for (const [index, client] of clients.entries()) if (pids[index] === left) client.close();
  // It has told its load before it tells its figures.
  while (told() !== 0) await nextTurn();
  const later = Array.from({ length: 3 }, () => connect(port));
  assert.deepEqual(tally(await Promise.all(later.map((client) => client.ask()))), [3]);
  for (const client of [...clients, ...later]) client.close();
});

test('reuseport: many connections spread over all workers, and those of a crashed one go to the others', async (t) => {
  const { pool, port } = await open(t, { balance: 'reuseport', restart: { minMs: 20_000 } });
  const ask = async (): Promise<number> => {
    const client = connect(port);
    const pid = await client.ask();
    client.close();
    return pid;
  };
  const pids = await Promise.all(Array.from({ length: 60 }, ask));
  const [few = 0, many] = tally(pids);
  assert.ok(many !== undefined && few > 5, `${few} and ${many}`);
  const crashed = once(pool, 'crash');
  await assert.rejects(connect(port).ask('/crash'));
  await crashed;
  const after = await Promise.all(Array.from({ length: 40 }, ask));
  assert.equal(tally(after).length, 1);
  assert.equal(pool.status().listeners.length, 1);
});

test('sticky: the connections of an address go to one worker, and those of many to all', async (t) => {
  const { port } = await open(t, { balance: 'sticky' });
  const served = await Promise.all(
    Array.from({ length: 24 }, async (_, index) => {
      const address = `127.0.1.${index + 1}`;
      const pids = [];
      for (let again = 0; again < 3; again++) {
        const client = connect(port, address);
        pids.push(await client.ask());
        client.close();
      }
      assert.equal(tally(pids).length, 1, address);
      return pids[0] as number;
    }),
  );
  assert.equal(tally(served).length, 2);
});

test('sticky by a function: clients that send the same key first go to one worker', async (t) => {
  const key = (head: Buffer): string | null | undefined => {
    const text = head.toString('latin1');
    if (!text.includes('\r\n\r\n')) return undefined;
    return /\r\nx-user: (\w+)/i.exec(text)?.[1] ?? null;
  };
  const { port } = await open(t, { balance: 'sticky', sticky: { key } });
  const workers = new Map<string, number>();
  for (const user of ['ann', 'bob', 'cat', 'dan', 'eve', 'fay', 'gus', 'hal', 'ann', 'bob', 'cat', 'dan']) {
    const client = connect(port, '127.0.0.1', { 'x-user': user });
    const pid = await client.ask();
    client.close();
    assert.equal(workers.get(user) ?? pid, pid, user);
    workers.set(user, pid);
  }
  assert.equal(new Set(workers.values()).size, 2);
});

test('sticky: a first visit, which has no cookie, is told by its address at once', async (t) => {
  const sticky = { key: byCookie('session'), timeoutMs: 2 ** 31 - 1 };
  const { port } = await open(t, { balance: 'sticky', sticky });
  const pids: number[] = [];
  for (let visit = 0; visit < 3; visit++) {
    const client = connect(port);
    pids.push(await client.ask());
    client.close();
  }
  assert.equal(tally(pids).length, 1);
});

test('a client that is connected and has not been served is not lost when its worker leaves', async (t) => {
  const { pool, port } = await open(t, { balance: 'least' });
  const socket = net.connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.once('connect', resolve));
  await pool.restart();
  const answer = new Promise<string>((resolve, reject) => {
    socket
      .once('data', (data) => resolve(data.toString()))
      .once('error', reject)
      .once('close', () => resolve(''));
  });
  socket.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  assert.match(await answer, /^HTTP\/1\.1 200/);
  socket.destroy();
});
