// Programs that know nothing of fdpass, as the manuals of their frameworks show them: `node unchanged.js KIND` listens on 127.0.0.1 at
// $PORT. They answer POST / as the applications of this folder do.
import http from 'node:http';
import type net from 'node:net';
import { json } from 'node:stream/consumers';
import { framework } from './framework';

interface Listens {
  listen(port: number, host: string): net.Server;
}

const { PORT = '0' } = process.env;
const port = Number(PORT);
const host = '127.0.0.1';

const programs: Record<string, () => void> = {
  http() {
    http
      .createServer(async (request, response) => {
        response.end(JSON.stringify({ pid: process.pid, body: await json(request) }));
      })
      .listen(port, host);
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
