// A unix socket where there is one, and TCP on localhost elsewhere.
//
//   node examples/tcp-fallback.mjs [PATH] [PORT]
//
// Try: the command that it prints. To see the fallback on Linux, let Node believe to be elsewhere:
//   node --import 'data:text/javascript,Object.defineProperty(process,"platform",{value:"win32"})' \
//     examples/tcp-fallback.mjs
//
// fdpass can be imported everywhere, and `isSupported` says whether its sockets work here. Decide by that, once,
// at the start. Do not fall back when listening fails: a folder that is missing is a mistake to be told, not a
// reason to open a port.
//
// In production: a port of 127.0.0.1 is weaker than a file of mode 0600. Every user of the machine can connect,
// and so can web pages in a browser. So over TCP this server asks for a secret. Never leave out the '127.0.0.1':
// without it Node listens on all networks.
import { randomUUID } from 'node:crypto';
import http from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { isSupported, listenUnix } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-fallback.sock');
const port = Number(process.argv[3] ?? 0); // 0: any that is free

/** What a request has to bring along; the permissions of the file do the same for a unix socket. */
const secret = isSupported ? undefined : `Bearer ${randomUUID()}`;

const server = http.createServer((request, response) => {
  if (request.headers.authorization !== secret && secret !== undefined) response.writeHead(401).end();
  else response.end(`hello over ${isSupported ? 'a unix socket' : 'TCP'}\n`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close();
    server.closeAllConnections();
  });
}

if (isSupported) {
  await listenUnix(server, path, { mode: 0o600 });
  console.log(`curl --unix-socket ${path} http://localhost/`);
} else {
  await new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(undefined)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('this is not TCP');
  console.log(`curl -H 'Authorization: ${secret}' http://127.0.0.1:${address.port}/`);
}
