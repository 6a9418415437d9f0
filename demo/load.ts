/** Owns the demo's load: which clients there are. `node load.js PORT CONNECTIONS` */
import { Client, type Kind } from './load-request';
import { type LoadClient, runLoad } from './load-run';

/** Between two requests of one client. Without it two busy processes saturate a small machine and only queues are measured. */
const kPauseMs = 3;

/** Half keep their connection, a quarter opens one for each request, a quarter posts. */
function kindsFor(connections: number): Kind[] {
  const quarter = Math.floor(connections / 4);
  return Array.from({ length: connections }, (_, i) => {
    if (i < quarter) return 'post';
    return i < 2 * quarter ? 'get-new-connection' : 'get';
  });
}

function clientOf(kind: Kind, port: number): LoadClient {
  const client = new Client(kind, port);
  return { kind, pauseMs: () => kPauseMs, send: () => client.send(), close: () => client.close() };
}

const [port, connections] = process.argv.slice(2).map(Number);
if (port === undefined || connections === undefined) throw new Error('usage: load.js PORT CONNECTIONS');
runLoad(kindsFor(connections).map((kind) => clientOf(kind, port)));
