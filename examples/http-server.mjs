// HTTP over a unix socket: a server of node:http that listens on a path instead of a port.
//
//   node examples/http-server.mjs [PATH]
//
// Try, in a second terminal:
//   curl --unix-socket PATH http://localhost/hello
//   node -e 'http.get({ socketPath: "PATH", path: "/hello" }, (answer) => answer.pipe(process.stdout))'
//   in nginx:  proxy_pass http://unix:PATH:/;
//
// The protocol is the same as over TCP. There is no port to choose and none to leave open by mistake, and nobody
// on the network can reach it. listenUnix() takes any server of Node: net, tls, http, https, http2, so also the
// one of express, fastify or koa.
//
// In production: node:http has deadlines for slow clients (requestTimeout, headersTimeout). To replace the process
// without a failed request, see createHandoff() in the README of the package.
import http from 'node:http';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { listenUnix } from 'fdpass';

const { XDG_RUNTIME_DIR = homedir() } = process.env;
const path = process.argv[2] ?? join(XDG_RUNTIME_DIR, 'fdpass-http.sock');
const GRACE_MS = 1000;

const server = http.createServer((request, response) => {
  console.log(`${request.method} ${request.url}`);
  response.setHeader('content-type', 'text/plain; charset=utf-8');
  response.end(`you asked for ${request.url}\n`);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  process.once(signal, () => {
    server.close(); // removes the file, and lets requests that are being answered finish
    setTimeout(() => server.closeAllConnections(), GRACE_MS).unref(); // but not for ever
  });
}

// The mode is there from the first moment: no stranger gets in between the creation of the file and a chmod.
await listenUnix(server, path, { mode: 0o600 });
console.log(`listening on ${path}`);
