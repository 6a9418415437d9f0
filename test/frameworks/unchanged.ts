// Programs that know nothing of fdpass, as the manuals of their frameworks show them: `node unchanged.js KIND` listens on 127.0.0.1 at
// $PORT. They answer POST / as the applications of this folder do. Those with TLS read $TLS_KEY and $TLS_CERT.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import { json } from 'node:stream/consumers';
import { framework, type Ws } from './framework';

interface Listens {
  listen(port: number, host: string): net.Server;
}

const { PORT = '0', TLS_KEY = '', TLS_CERT = '' } = process.env;
const port = Number(PORT);
const host = '127.0.0.1';

const tls = () => ({ key: readFileSync(TLS_KEY), cert: readFileSync(TLS_CERT) });

async function answer(request: http.IncomingMessage, response: http.ServerResponse): Promise<void> {
  response.end(JSON.stringify({ pid: process.pid, body: await json(request) }));
}

function answerStream(_: http2.Http2ServerRequest, response: http2.Http2ServerResponse): void {
  response.end(`${process.pid}`);
}

const programs: Record<string, () => void> = {
  http() {
    http.createServer(answer).listen(port, host);
  },

  https() {
    https.createServer(tls(), answer).listen(port, host);
  },

  http2() {
    http2.createServer(answerStream).listen(port, host);
  },

  'http2 over TLS'() {
    http2.createSecureServer(tls(), answerStream).listen(port, host);
  },

  ws() {
    const server = http.createServer(answer);
    const webSockets = new (framework<Ws>('ws').WebSocketServer)({ server });
    webSockets.on('connection', (webSocket) => {
      webSocket.on('message', () => webSocket.send(JSON.stringify({ pid: process.pid })));
    });
    server.listen(port, host);
  },

  express() {
    const express = framework<{
      (): Listens & Record<'use' | 'post', (...args: unknown[]) => void>;
      json(): unknown;
    }>('express');
    const app = express();
    app.use(express.json());
    app.post('/', ({ body }: { body: unknown }, response: { json(value: unknown): void }) => {
      response.json({ pid: process.pid, body });
    });
    app.listen(port, host);
  },

  fastify() {
    const fastify =
      framework<
        () => { post(path: string, handler: unknown): void; listen(options: object): Promise<string> }
      >('fastify');
    const app = fastify();
    app.post('/', async ({ body }: { body: unknown }) => ({ pid: process.pid, body }));
    void app.listen({ port, host });
  },

  koa() {
    const app = new (framework<new () => Listens & { use(handler: unknown): void }>('koa'))();
    app.use(async (context: { req: http.IncomingMessage; body: unknown }) => {
      context.body = { pid: process.pid, body: await json(context.req) };
    });
    app.listen(port, host);
  },
};

programs[process.argv[2] as string]?.();
