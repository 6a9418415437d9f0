// The receiver of all that is asked of a pool: its primary. contender.startPool() starts workers that run http-server.mjs.
import { once } from 'node:events';
import net from 'node:net';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

import { CpuCurve } from './cpu-curve.mjs';
import { sayReady } from './ready.mjs';
import { stopped } from './stop.mjs';

const kExec = fileURLToPath(new URL('http-server.mjs', import.meta.url));

/** Between two of its pauses the primary has so many ms for whoever has come meanwhile. */
const kBetweenPausesMs = 5;

/**
 * `rolls`: so often all workers are replaced, from `warmMs` on, while the load goes on. `gatherMs`: the primary sleeps so long again
 * and again, so that connections wait for it.
 */
export async function receiver(contender, { workers, rolls = 0, warmMs, gatherMs = 0 }) {
  const port = await freePort();
  const pool = await contender.startPool({ exec: kExec, workers, env: { BENCH_PORT: String(port) } });
  process.once('SIGTERM', () => void pool.close().finally(() => process.exit(143)));
  const gathering = gatherMs === 0 ? undefined : setInterval(sleepFor, gatherMs + kBetweenPausesMs, gatherMs);
  try {
    const cpu = new CpuCurve();
    sayReady(`127.0.0.1:${port}`);
    await (rolls === 0 ? stopped() : rollUnderLoad(pool, rolls, warmMs));
    cpu.end();
    return { cpu: cpu.points, rolls };
  } finally {
    clearInterval(gathering);
    await pool.close();
  }
}

/** Without processor time. */
function sleepFor(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

async function rollUnderLoad(pool, rolls, warmMs) {
  let loadIsOver = false;
  const end = stopped().then(() => {
    loadIsOver = true;
  });
  await pause(warmMs);
  for (let i = 0; i < rolls; i++) await pool.replaceAll();
  if (loadIsOver) throw new Error('the load was over before all workers were replaced: raise runMs');
  await end;
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
