// What a crash leaves behind: a socket file that nobody serves, and how the next start gets over it.
//
//   node examples/stale-socket.mjs [PATH]
//
// Try:
//   start it, and kill -9 the pid that it prints     the file is still there: ls -l PATH
//   nc -U PATH                                       Connection refused: a file, and nobody behind it
//   start it again                                   it sees that nobody serves the file, and takes its place
//   start it a second time while the first one runs  it refuses, and says who is there
//
// The kernel closes the socket of a dead process but does not remove its file, and bind() refuses a name that
// exists (EADDRINUSE). Many programs remove the file before they bind; that also takes a running server off the
// network, without a word. The right question is: does anybody answer? `replaceStale` asks it and never pushes a
// live server aside; it asks under a lock, so that two starts at the same time do not remove each other's file.
//
// In production: pass `replaceStale: true` at once. The first attempt below only shows what would happen without
// it.
import { homedir } from 'node:os';
import { join } from 'node:path';
import { UnixServer } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-stale.sock');

const server = new UnixServer();
server.on('connection', (client) => {
  client.on('error', (error) => console.log(error.message));
  client.end(`pid ${process.pid} is alive\n`);
});

/** Undefined when it listens, else the error of a name that is taken. @param {boolean} replaceStale */
function tryToListen(replaceStale) {
  try {
    server.listen(path, { mode: 0o600, replaceStale });
    return undefined;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return error;
    throw error;
  }
}

if (tryToListen(false) === undefined) console.log('the name was free');
else {
  const error = tryToListen(true);
  if (error !== undefined) {
    console.error(error.message); // it says which process serves the name
    process.exit(1);
  }
  console.log('a dead server had left its file: replaced');
}

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, async () => {
    await server.close(); // removes the file
    process.exit(); // cuts off whoever is connected
  });
}

console.log(`pid ${process.pid} is listening on ${path}`);
