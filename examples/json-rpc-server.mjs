// JSON-RPC 2.0 over a unix socket: one request on each line, one answer on each line.
//
//   node examples/json-rpc-server.mjs [PATH]
//
// Try, in a second terminal, nc -U PATH, and type:
//   {"jsonrpc": "2.0", "id": 1, "method": "add", "params": [2, 3]}
//   {"jsonrpc": "2.0", "id": 2, "method": "no such"}         an error is an answer, too
//   {"jsonrpc": "2.0", "method": "add", "params": [2, 3]}    without an id it is a notification: no answer
//
// The border between messages is the line break, which JSON does not need. So one connection can serve for many
// requests (compare one-message-server.mjs, where the end of the connection is the border).
//
// In production: check the `params` of every method before you use them. Batches (arrays of requests) are left out
// here.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixServer } from 'fdpass';

const MAX_LINE = 64 * 1024; // characters; without a limit, a line that never ends could fill the memory

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-json-rpc.sock');

/** A Map, because a client could ask an object for 'constructor'. @type {Map<string, (params: any) => unknown>} */
const methods = new Map();
methods.set('add', ([a, b]) => Number(a) + Number(b));
methods.set('uptime', () => process.uptime());

/** @param {string} line */
function reply(line) {
  let request;
  try {
    request = JSON.parse(line);
  } catch {
    return { id: null, error: { code: -32700, message: 'Parse error' } };
  }
  if (request?.jsonrpc !== '2.0') return { id: null, error: { code: -32600, message: 'Invalid Request' } };
  const { id, method, params } = request;
  const call = methods.get(method);
  if (call === undefined) return { id, error: { code: -32601, message: 'Method not found' } };
  try {
    return { id, result: call(params) };
  } catch (error) {
    return { id, error: { code: -32602, message: `Invalid params: ${error}` } };
  }
}

/** @param {import('fdpass').UnixStream} client */
async function serve(client) {
  let rest = '';
  for await (const piece of client.setEncoding('utf8')) {
    const lines = `${rest}${piece}`.split('\n');
    rest = lines.pop() ?? ''; // the beginning of a line whose end is still on its way
    if (rest.length > MAX_LINE) throw new Error(`a line of more than ${MAX_LINE} characters`);
    for (const line of lines) {
      const answer = reply(line);
      // send() waits until there is room: a client that asks and never reads has to wait, and not our memory.
      if (answer.id !== undefined) await client.send(`${JSON.stringify({ jsonrpc: '2.0', ...answer })}\n`);
    }
  }
  client.end(); // the other direction: not every version of Node closes a half-open stream behind the loop
}

// allowHalfOpen: a client may send its requests and end its direction at once, and is answered all the same.
const server = new UnixServer({ allowHalfOpen: true });
server.on('connection', (client) => {
  serve(client).catch((error) => console.log(`client lost: ${error.message}`));
});
for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close(); // removes the file
    process.exit(); // cuts off whoever is connected
  });
}

server.listen(path, { mode: 0o600 });
console.log(`listening on ${path}`);
