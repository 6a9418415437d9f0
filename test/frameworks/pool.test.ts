// Programs of each framework run unchanged as the workers of a pool, are replaced under load, and no request fails.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { createPool } from '#fdpass/pool/pool';
import { Load } from '../helpers/clients';
import { jsonClient } from './clients';

const REGISTER = require.resolve('#fdpass/register');
const CLIENTS = 4;

for (const kind of ['http', 'express', 'fastify', 'koa']) {
  test(`${kind}: an unchanged program in two workers is rolled under load, and no request fails`, async (t) => {
    const pool = await createPool({
      exec: path.join(__dirname, 'unchanged.js'),
      args: [kind],
      execArgv: ['--require', REGISTER],
      workers: 2,
      probationMs: 50,
    });
    t.after(() => pool.close());
    const { listeners, workers: before } = pool.status();
    const port = Number(listeners[0]?.address.split(':').at(-1));
    const clients = Array.from({ length: 2 * CLIENTS }, (_, i) =>
      jsonClient(port, { keepAlive: i % 2 === 0 }),
    );
    const load = new Load(clients);
    for (const { pid } of before) await load.served(pid);
    await pool.restart();
    const after = pool.status().workers.filter(({ state }) => state === 'serving');
    for (const { pid } of after) await load.served(pid);
    const { failures, byPid } = await load.stop();
    assert.deepEqual(failures, []);
    const pids = [...before, ...after].map(({ pid }) => pid);
    assert.equal(new Set(pids).size, 4);
    assert.deepEqual([...byPid.keys()].sort(), pids.sort());
  });
}
