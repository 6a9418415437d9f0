// WebSockets of the package `ws`: how they end when their process does. Of ws only its events are used.
import type net from 'node:net';
import { invalidArgType } from '../base/errors';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';

/** What is used of a WebSocket of ws. */
export interface WebSocketLike {
  close(code: number, reason: string): void;
}

/** What is used of a WebSocketServer of ws, versions 7 and 8. */
export interface WebSocketServerLike {
  on(
    event: 'connection',
    listener: (webSocket: WebSocketLike, request: { socket: net.Socket }) => void,
  ): unknown;
}

export interface DrainWebSocketsOptions {
  /**
   * Milliseconds over which the closings are spread, so that not all clients come back at once. Default 5000. Keep it
   * well below `timeouts.drain`, which cuts.
   */
  overMs?: number;
}

const OPTIONS: KnownNames<DrainWebSocketsOptions> = { overMs: true };

/** "Going away": the server goes down, come again. RFC 6455, 7.4.1 */
const GOING_AWAY = 1001;

/**
 * For the `drain` option of listen(): closes each WebSocket with code 1001 at a moment of its own within `overMs`,
 * counted from when a successor has taken over (or the service closes). Clients that connect again meet the successor.
 * Other connections of the same server are left to their own drain.
 * @param server which emits 'connection' with the request, also if it is one with `noServer`
 */
export function drainWebSockets(
  server: WebSocketServerLike,
  options: DrainWebSocketsOptions = {},
): (socket: net.Socket) => void {
  if (typeof server?.on !== 'function') throw invalidArgType('server', 'a WebSocketServer of ws', server);
  validateOptions('options', options, OPTIONS);
  const overMs = validateInteger('options.overMs', options.overMs ?? 5_000, 0, 2 ** 31 - 1);
  const webSockets = new WeakMap<net.Socket, WebSocketLike>();
  const told = new WeakSet<net.Socket>();
  const part = (webSocket: WebSocketLike): void => {
    const close = () => webSocket.close(GOING_AWAY, 'the server restarts');
    setTimeout(close, Math.random() * overMs).unref();
  };
  server.on('connection', (webSocket, { socket }) => {
    webSockets.set(socket, webSocket);
    if (told.has(socket)) part(webSocket); // an HTTP connection until now, which the drain had left to its client
  });
  return (socket) => {
    told.add(socket);
    const webSocket = webSockets.get(socket);
    if (webSocket !== undefined) part(webSocket);
  };
}
