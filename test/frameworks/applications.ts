// One small application of each kind: it answers POST / with this process's pid and what it was sent.
import { readFileSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import type net from 'node:net';
import { json } from 'node:stream/consumers';
import type { ListenerOptions } from 'fdpass';
import { drainWebSockets } from 'fdpass/ws';
import { type Express, type Fastify, framework, type Koa, type Ws } from './framework';

/** PEM files. */
export interface TlsFiles {
  key: string;
  cert: string;
}

export interface Application {
  server: net.Server;
  /** For listen(). */
  drain?: ListenerOptions['drain'];
}

/** Over which the WebSockets are closed. */
export const CLOSE_OVER_MS = 400;

/** @param kind one of the functions below */
export async function application(kind: string, tls: TlsFiles | undefined): Promise<Application> {
  const make = APPLICATIONS[kind];
  if (make === undefined) throw new Error(`there is no application ${kind}`);
  return await make(tls);
}

const answer: http.RequestListener = (request, response) => {
  void json(request).then((body) => response.end(JSON.stringify({ pid: process.pid, body })));
};

const APPLICATIONS: Record<string, (tls: TlsFiles | undefined) => Application | Promise<Application>> = {
  http: () => ({ server: http.createServer(answer) }),

  https(tls) {
    const { key, cert } = tls as TlsFiles;
    return { server: https.createServer({ key: readFileSync(key), cert: readFileSync(cert) }, answer) };
  },

  http2: () => ({ server: http2.createServer((_, response) => response.end(`${process.pid}`)) }),

  express() {
    const express = framework<Express>('express');
    const app = express();
    app.use(express.json());
    app.post('/', ({ body }, response) => response.json({ pid: process.pid, body }));
    return { server: http.createServer(app) };
  },

  async fastify() {
    const fastify = framework<Fastify>('fastify');
    const server = http.createServer();
    const serverFactory = (handler: http.RequestListener) => server.on('request', handler);
    const app = fastify({ serverFactory });
    app.post('/', async ({ body }) => ({ pid: process.pid, body }));
    await app.ready(); // listen() of fastify would do it
    return { server };
  },

  koa() {
    const app = new (framework<Koa>('koa'))();
    app.use(async (context) => {
      context.body = { pid: process.pid, body: await json(context.req) };
    });
    return { server: http.createServer(app.callback()) };
  },

  ws() {
    const server = http.createServer();
    const sockets = new (framework<Ws>('ws').WebSocketServer)({ server });
    sockets.on('connection', (webSocket) => {
      webSocket.on('message', (body) =>
        webSocket.send(JSON.stringify({ pid: process.pid, body: `${body}` })),
      );
    });
    return { server, drain: drainWebSockets(sockets, { overMs: CLOSE_OVER_MS }) };
  },
};
