// Programs of each framework run unchanged as the workers of a pool, are replaced under load, and no request fails.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { createPool, type Pool } from '#fdpass/pool/pool';
import { selfSigned } from '../helpers/certificate';
import { type Client, http2Client, Load } from '../helpers/clients';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';
import { jsonClient, webSocketClient } from './clients';

const REGISTER = require.resolve('#fdpass/register');
const CLIENTS = 8;

type MakeClient = (port: number, index: number, ca: Buffer) => Client;

/** Half of the clients keep their connection, half make one for each request. */
const overHttp: MakeClient = (port, i) => jsonClient(port, { keepAlive: i % 2 === 0 });

const kinds: Record<string, MakeClient> = {
  http: overHttp,
  https: (port, i, ca) => jsonClient(port, { keepAlive: i % 2 === 0, ca }),
  http2: (port, i) => http2Client({ port }, { keepAlive: i % 2 === 0 }),
  'http2 over TLS': (port, i, ca) => http2Client({ port }, { keepAlive: i % 2 === 0, ca }),
  express: overHttp,
  fastify: overHttp,
  koa: overHttp,
  ws: (port, i) => (i % 2 === 0 ? webSocketClient(port) : jsonClient(port, { keepAlive: false })),
};

/** Files that every worker can read. */
function certificate(t: test.TestContext) {
  const { key, cert } = selfSigned(t);
  const folder = tmpDir(t);
  const env = { TLS_KEY: path.join(folder, 'key.pem'), TLS_CERT: path.join(folder, 'cert.pem') };
  writeFileSync(env.TLS_KEY, key);
  writeFileSync(env.TLS_CERT, cert);
  return { env, ca: cert };
}

/** Resolves when they have ended, all in order. */
async function endOf(pool: Pool, workers: readonly { pid: number }[]): Promise<void> {
  const living = new Set(workers.map(({ pid }) => pid));
  while (living.size > 0) {
    const [{ pid }, reason] = await once(pool, 'exit');
    if (living.delete(pid)) assert.equal(reason, 'it has ended with exit code 0');
  }
}

for (const [kind, makeClient] of Object.entries(kinds)) {
  test(`${kind}: an unchanged program in two workers is rolled under load, and no request fails`, async (t) => {
    const { env, ca } = certificate(t);
    const pool = await createPool({
      exec: path.join(__dirname, 'unchanged.js'),
      args: [kind],
      execArgv: ['--require', REGISTER],
      env,
      workers: 2,
      probationMs: 50,
    });
    t.after(() => pool.close());
    const { listeners, workers: before } = pool.status();
    const port = Number(listeners[0]?.address.split(':').at(-1));
    const load = new Load(Array.from({ length: CLIENTS }, (_, i) => makeClient(port, i, ca)));
    for (const { pid } of before) await load.served(pid);
    const left = endOf(pool, before);
    await pool.restart();
    const after = pool.status().workers.filter(({ state }) => state === 'serving');
    for (const { pid } of after) await load.served(pid);
    await within('the end of the old workers', () => left);
    const { failures, byPid } = await load.stop();
    assert.deepEqual(failures, []);
    const pids = [...before, ...after].map(({ pid }) => pid);
    assert.equal(new Set(pids).size, 4);
    assert.deepEqual([...byPid.keys()].sort(), pids.sort());
  });
}
