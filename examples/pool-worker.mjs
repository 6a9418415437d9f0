// A server that can be a worker of a pool (pool.mjs), and runs alone as well: it does not have to know.
//
//   node examples/pool-worker.mjs [PATH]
//
// Try, in a second terminal:
//   curl --unix-socket PATH http://localhost/
//   node examples/pool-worker.mjs PATH      once more: it takes over from the first one, which ends
//
// Alone, listen() inherits the socket of the process before, or binds it. In a worker it asks the primary, and it is
// the primary that decides when the process is replaced. ready() says that it serves, in both cases.
//
// In production: a port instead of a path ({ port: 8080 }), a drain that is as long as your longest request, and the
// databases closed behind `await handoff.superseded`.
import http from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { createHandoff } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-pool.sock');
const GRACE_MS = 1000; // for connections that are open when it ends

const server = http.createServer((_request, response) => {
  response.end(`process ${process.pid}, generation ${handoff.generation}\n`);
});

const handoff = await createHandoff({
  name: 'example',
  address: `${path}.control`, // beside the socket, so that every PATH is a service of its own
  timeouts: { drain: GRACE_MS },
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => handoff.close().then(() => process.exit()));
}
await handoff.listen('http', server, { path, mode: 0o600 });
await handoff.ready();
console.log(`process ${process.pid}: listening on ${path}`);
