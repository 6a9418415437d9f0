// One message for each connection: the end of the stream is the end of the message.
//
//   node examples/one-message-server.mjs [PATH]
//
// Try, in a second terminal:
//   node examples/one-message-client.mjs 'hello, server'
//   printf hello | nc -N -U PATH    -N: nc ends its direction when it has sent everything
//   printf hello | nc -U PATH       without it the server waits for the rest of the message, until its patience ends
//
// A stream is bytes without borders: two writes may arrive as one piece, and one write as two. The simplest border
// is the end. A connection has two directions, and each ends by itself: the client ends its own one (end-of-file,
// EOF), and can still read the answer from the other.
//
// In production: a client that crashes half-way sends EOF, too. Where half a message does harm, send its length
// first.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixServer } from 'fdpass';

const MAX_BYTES = 1024 * 1024; // without a limit, one client could fill the memory
const IDLE_MS = 10_000;

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-one-message.sock');

/** Stands for what you do with a message, such as writing it to the disk. @param {Buffer} message */
async function handle(message) {
  // JSON shows what else could play tricks with your terminal: control characters, line breaks.
  console.log(`message: ${JSON.stringify(message.toString())}`);
}

// Without allowHalfOpen our direction would end with that of the client, before handle() has done its work.
const server = new UnixServer({ allowHalfOpen: true });

server.on('connection', (client) => {
  /** @type {Buffer[]} */
  const pieces = [];
  client.on('error', (error) => console.log(`no message: ${error.message}`));
  client.setTimeout(IDLE_MS, () => client.destroy(new Error(`nothing came for ${IDLE_MS} ms`)));
  client.on('data', (piece) => {
    pieces.push(piece);
    if (client.bytesRead > MAX_BYTES) client.destroy(new Error(`more than ${MAX_BYTES} bytes`));
  });
  // Not `for await (const piece of client)`: that destroys the stream after the last piece, both directions of it.
  client.on('end', async () => {
    const message = Buffer.concat(pieces);
    await handle(message); // first the work, then the word that it is done
    client.end(`ok ${message.length}\n`);
  });
});

// Whoever is connected may finish: the process ends by itself behind the last one, at the latest by the timeout.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => server.close());

server.listen(path, { mode: 0o600 });
console.log(`listening on ${path}`);
