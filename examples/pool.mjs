// One server, several processes: a primary that holds the socket, and workers that serve on it.
//
//   node examples/pool.mjs [PATH] [WORKERS]
//
// Try, in a second terminal:
//   curl --unix-socket PATH http://localhost/      a few times: who answers?
//   kill -9 the process that has answered          another one answers; a new one comes
//   kill -HUP the primary                          new workers, one after the other, and no request is lost
//
// The program of the workers is pool-worker.mjs, which also runs alone. The primary runs nothing of it: whatever the
// workers do, the socket stays open, and clients wait in its queue while nobody serves.
//
// In production: `name` lets `fdpass status`, restart and scale find the pool, and a later primary take its workers
// over. Without it they end when the primary dies. A program that knows nothing of pools: fdpass run -- node server.js.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createPool } from 'fdpass/pool';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-pool.sock');

const starting = createPool({
  exec: join(import.meta.dirname, 'pool-worker.mjs'),
  args: [path],
  workers: Number(process.argv[3] ?? 2),
  timeouts: { drain: 1000 },
  detached: true, // Ctrl-C is for the primary, which tells the workers
});
// From the first moment: close() waits for the start.
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => starting.then((pool) => pool.close()));
}

const pool = await starting;
pool.on('crash', (error, pauseMs) => console.log(`${error.message}; a new one comes in ${pauseMs} ms`));
process.on('SIGHUP', () => {
  pool.restart().then(
    ({ replaced }) => console.log(`${replaced.length} workers were replaced`),
    (error) => console.log(`the old workers serve on: ${error.message}`),
  );
});
console.log(`the primary is process ${process.pid}; ${pool.size} workers serve on ${path}`);
