// Clients that hang, and the two deadlines that cut them off.
//
//   node examples/deadline-server.mjs [PATH] [IDLE-MS] [TOTAL-MS]
//
// Try, in a second terminal:
//   echo hello | nc -U PATH                                   answered at once
//   nc -U PATH                                                type nothing: cut off when IDLE-MS are over
//   (while sleep 1; do printf .; done) | nc -U PATH           never idle, and cut off when TOTAL-MS are over
//
// A connection that only waits costs memory and a descriptor, and enough of them stop the server. A limit for
// silence is not enough: a client that sends a byte now and then is never silent. A limit for the whole is not
// enough either: it has to be generous, and nobody should hold a place that long without a word. So there are two.
//
// In production: clients need deadlines as well (one-message-client.mjs), since servers hang, too.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { addAbortSignal } from 'node:stream';
import { UnixServer } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-deadline.sock');
const idleMs = Number(process.argv[3] ?? 3000);
const totalMs = Number(process.argv[4] ?? 10_000);

const server = new UnixServer();

server.on('connection', (client) => {
  const startedAt = performance.now();
  const total = AbortSignal.timeout(totalMs);
  addAbortSignal(total, client); // destroys the stream when the time is over
  client.setTimeout(idleMs, () => client.destroy(new Error('it was idle'))); // each byte starts this one again
  client.on('error', (error) => {
    const reason = total.aborted ? 'it took too long' : error.message;
    console.log(`cut off after ${Math.round(performance.now() - startedAt)} ms: ${reason}`);
  });

  let line = '';
  client.setEncoding('utf8').on('data', (piece) => {
    line += piece;
    if (line.length > 1000) client.destroy(new Error('its line is too long'));
    else if (line.includes('\n')) client.end(`you said ${line}`);
  });
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close(); // removes the file
    process.exit(); // cuts off whoever is connected
  });
}

server.listen(path, { mode: 0o600 });
console.log(`listening on ${path}`);
