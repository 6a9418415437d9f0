// The packages that scripts/setup.mjs installs in ./packages. They come without types, so what is used has them here.
import type { IncomingMessage, RequestListener } from 'node:http';
import { createRequire } from 'node:module';
import type net from 'node:net';
import path from 'node:path';

const root = path.dirname(require.resolve('fdpass/package.json'));
// Compiled tests are elsewhere, below out.
const requireHere = createRequire(path.join(root, 'test/frameworks/packages/package.json'));

/** A package that could not be installed fails the test that needs it, by its name. */
export function framework<T>(name: 'express' | 'fastify' | 'koa' | 'ws'): T {
  try {
    return requireHere(name) as T;
  } catch (cause) {
    throw new Error(`${name} is not installed in test/frameworks/packages; npm test does that`, { cause });
  }
}

interface ExpressRequest {
  body: unknown;
}

type ExpressHandler = (request: ExpressRequest, response: { json(value: unknown): void }) => void;

export interface Express {
  (): RequestListener & { use(handler: unknown): void; post(path: string, handler: ExpressHandler): void };
  json(): unknown;
}

export interface FastifyApp {
  post(path: string, handler: (request: { body: unknown }) => Promise<unknown>): void;
  ready(): Promise<unknown>;
}

export type Fastify = (options: { serverFactory: (handler: RequestListener) => net.Server }) => FastifyApp;

export interface KoaContext {
  req: IncomingMessage;
  body: unknown;
}

export type Koa = new () => {
  use(handler: (context: KoaContext) => Promise<void>): void;
  callback(): RequestListener;
};

export interface WebSocket {
  send(text: string): void;
  close(): void;
  terminate(): void;
  on(event: 'message', listener: (data: Buffer) => void): void;
  on(event: 'open', listener: () => void): void;
  on(event: 'error', listener: (error: Error) => void): void;
  on(event: 'close', listener: (code: number) => void): void;
}

export interface WebSocketServer {
  on(
    event: 'connection',
    listener: (
      webSocket: WebSocket & { close(code?: number, reason?: string): void },
      request: IncomingMessage,
    ) => void,
  ): void;
}

export interface Ws {
  WebSocket: new (address: string) => WebSocket;
  WebSocketServer: new (options: { server: net.Server }) => WebSocketServer;
}
