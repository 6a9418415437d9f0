// How the WebSockets of a program that knows nothing of pools learn that their worker leaves: it has no handler for that.
import http from 'node:http';
import https from 'node:https';
import type net from 'node:net';
import type { Farewell } from '../handoff/connections';

/** "Going away": the client is to come again. RFC 6455, 7.4.1 */
const GOING_AWAY = 1001;
/** Over which the closings are spread, in milliseconds. A roll spreads them already: the workers go one by one. */
const CLOSE_OVER_MS = 2_000;
/** An HTTP connection may become a WebSocket while its worker leaves: it is looked at so often, in milliseconds. */
const LOOK_MS = 500;

interface WebSocketLike {
  close(code: number, reason: string): void;
}

/**
 * Closes what is a WebSocket of the package ws with 1001, at a moment of its own. Other upgraded connections have the time of the drain.
 * undefined: a server of that kind has none.
 */
export function webSocketFarewell(server: net.Server): Farewell | undefined {
  return server instanceof http.Server || server instanceof https.Server ? sendAway : undefined;
}

function sendAway(socket: net.Socket): void {
  let timer: NodeJS.Timeout;
  const look = (): void => {
    const webSocket = webSocketOf(socket);
    if (webSocket === undefined) timer = setTimeout(look, LOOK_MS).unref();
    else webSocket.close(GOING_AWAY, 'the server restarts');
  };
  timer = setTimeout(look, Math.random() * CLOSE_OVER_MS).unref();
  socket.once('close', () => clearTimeout(timer));
}

/** ws leaves it on the socket by a symbol of this name: lib/constants.js of ws 7 and 8, also where it was bundled. */
function webSocketOf(socket: net.Socket): WebSocketLike | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find(({ description }) => description === 'websocket');
  const found = symbol && (socket as unknown as Record<symbol, Partial<WebSocketLike> | undefined>)[symbol];
  return typeof found?.close === 'function' ? (found as WebSocketLike) : undefined;
}
