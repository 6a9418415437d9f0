// The types of fdpass/ws, checked by the compiler alone.
import type http from 'node:http';
import type net from 'node:net';
import { drainWebSockets } from 'fdpass/ws';

/** As @types/ws has them, in short. */
declare class WebSocket {
  close(code?: number, data?: string | Buffer): void;
}
declare class WebSocketServer {
  on(event: 'connection', cb: (this: this, socket: WebSocket, request: http.IncomingMessage) => void): this;
  on(event: 'error', cb: (this: this, error: Error) => void): this;
  on(event: 'close' | 'listening', cb: (this: this) => void): this;
}

export function webSockets(server: WebSocketServer): void {
  drainWebSockets(server) satisfies (socket: net.Socket) => void;
  drainWebSockets(server, { overMs: 1000 });
  // @ts-expect-error: there is no such option
  drainWebSockets(server, { over: 1000 });
}
