/**
 * Owns the server that the others restart: the answers of the demo's, and an end as the manuals of cluster and PM2 show it: it
 * closes, and what has not ended after a second is cut. `node worker.js GENERATION PORT [reusePort]`
 */
import * as http from 'node:http';
import { adoptServer, Fd } from 'fdpass';
import { binding } from '#fdpass/native/binding';
import { answersOf } from '../../demo/answers';

const kForceCloseMs = 1000;
const kBacklog = 511;

const [generation = 0, wantedPort = 0] = [process.env['GENERATION'], process.env['PORT']].map(Number);
const { pid } = process;
const server = http.createServer(answersOf(generation));

function end(): void {
  server.close(() => process.exit(0));
  setTimeout(() => server.closeAllConnections(), kForceCloseMs).unref();
}

server.on('listening', () => {
  const address = server.address();
  const port = typeof address === 'object' ? address?.port : undefined;
  process.stdout.write(`${JSON.stringify({ event: 'ready', generation, pid, port })}\n`);
  process.send?.('ready'); // what PM2 waits for
});
process.on('SIGTERM', end);
process.on('SIGINT', end); // PM2's

// Node 20 has no option for it.
if (process.env['REUSE_PORT'] === undefined) server.listen(wantedPort, '127.0.0.1');
else {
  const fd = Fd.own(binding.listenTcp('127.0.0.1', wantedPort, kBacklog, true, false));
  void adoptServer(server, fd, { backlog: kBacklog });
}
