/** Owns the server of the naive run: the answers of server.ts, without fdpass. `node naive-server.js GENERATION PORT` */
import * as http from 'node:http';
import { answersOf } from './answers';

/** Between two attempts to get the port from the old process. */
const kRetryMs = 5;
/** After close() answers still say keep-alive on this Node, so clients that are busy never leave by themselves. */
const kForceCloseMs = 1000;

const [generation = 0, wantedPort = 0] = process.argv.slice(2).map(Number);
const { pid } = process;

const server = http.createServer(answersOf(generation));

function listen(): void {
  server.listen(wantedPort, '127.0.0.1');
}

function say(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

server.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EADDRINUSE') throw error;
  setTimeout(listen, kRetryMs);
});
server.on('listening', () => {
  const address = server.address();
  say({ event: 'ready', generation, pid, port: typeof address === 'object' ? address?.port : undefined });
});
process.on('SIGTERM', () => {
  server.close();
  setTimeout(() => server.closeAllConnections(), kForceCloseMs).unref();
});
process.on('exit', (code) => say({ event: 'exit', generation, pid, code }));

say({ event: 'booted', generation, pid });
listen();
