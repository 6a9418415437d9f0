// Connections of one server: which are open, which answer a request, and how they end without harm.
import diagnostics from 'node:diagnostics_channel';
import { ServerResponse } from 'node:http';
import type { ServerHttp2Session } from 'node:http2';
import type net from 'node:net';
import tls from 'node:tls';

/** Between GOAWAY and the end of an HTTP/2 session: what the client sent meanwhile is still answered. */
const GOAWAY_PAUSE_MS = 100;
/** From our last answer to the end of a connection that its client keeps open. */
const LINGER_MS = 2_000;
/** GOAWAY with the highest stream id announces the end and refuses nothing. RFC 9113, 6.8 */
const LAST_STREAM_ID = 2 ** 31 - 1;

export interface DrainCount {
  /** Connections that ended by themselves. */
  closed: number;
  /** Connections that the time limit cut. */
  forced: number;
}

/** Tells the peer of a connection, in the program's own protocol, that it is to end. */
export type Farewell = (socket: net.Socket) => void;

/** Watches a server from its first connection on, without changing what it does until it drains. */
export class Connections {
  static readonly #of = new WeakMap<net.Server, Connections>();

  readonly #sockets = new Set<net.Socket>();
  readonly #sessions = new Set<ServerHttp2Session>();
  /** The response that a connection answers with last, of those it knows of. */
  readonly #responses = new Map<net.Socket, ServerResponse>();
  /** Connections that have said `Connection: close` and everything before it. */
  readonly #over = new WeakSet<net.Socket>();
  /** Requests that came behind an answer that said so. */
  readonly #tooLate = new WeakSet<ServerResponse>();
  /** What the program knows connections by: of a TLS server that is another object. */
  readonly #known = new Set<net.Socket>();
  readonly #farewell: Farewell | undefined;
  readonly #server: net.Server;
  #accepted = 0;
  #draining = false;
  #onEmpty: (() => void) | undefined;

  constructor(server: net.Server, farewell?: Farewell) {
    this.#farewell = farewell;
    this.#server = server;
    Connections.#of.set(server, this);
    server.on('connection', (socket: net.Socket) => {
      this.#accepted++;
      this.#sockets.add(socket);
      socket.once('close', () => {
        this.#sockets.delete(socket);
        this.#responses.delete(socket);
        if (this.#sockets.size === 0) this.#onEmpty?.();
      });
    });
    if (farewell !== undefined) this.#watchKnown(server);
    // Emitted by http2 servers only.
    server.on('session', (session: ServerHttp2Session) => {
      this.#sessions.add(session);
      session.once('close', () => this.#sessions.delete(session));
      if (this.#draining) endSession(session);
    });
  }

  /** @internal Every HTTP/1 server of the process reports here that a request has begun. */
  static onRequest(message: unknown): void {
    const { server, socket, response } = message as {
      server: net.Server;
      socket: net.Socket;
      response: ServerResponse;
    };
    const watched = Connections.#of.get(server);
    if (watched !== undefined) watched.#onRequest(socket, response);
  }

  get open(): number {
    return this.#sockets.size;
  }

  get accepted(): number {
    return this.#accepted;
  }

  /**
   * Lets every connection end in its own time: HTTP/1 responses say `Connection: close` from here, HTTP/2
   * sessions are told to go. What is left after the limit is cut.
   * @param setLimit arms the limit; its result disarms it
   */
  async drain(setLimit: (cut: () => void) => () => void): Promise<DrainCount> {
    this.#draining = true;
    const open = this.#sockets.size;
    if (open > 0) handleRequestsLater(this.#server, (response) => this.#tooLate.has(response));
    for (const [socket, response] of this.#responses) closeAfter(response, socket);
    for (const session of this.#sessions) endSession(session);
    for (const socket of this.#known) this.#farewell?.(socket);
    let forced = 0;
    const disarm = setLimit(() => {
      forced = this.#sockets.size;
      for (const socket of this.#sockets) socket.destroy();
    });
    if (open > 0) {
      await new Promise<void>((resolve) => {
        this.#onEmpty = resolve;
      });
    }
    disarm();
    return { closed: open - forced, forced };
  }

  #watchKnown(server: net.Server): void {
    const event = server instanceof tls.Server ? 'secureConnection' : 'connection';
    server.on(event, (socket: net.Socket) => {
      this.#known.add(socket);
      socket.once('close', () => this.#known.delete(socket));
      if (this.#draining) this.#farewell?.(socket); // its TLS handshake was under way
    });
  }

  #onRequest(socket: net.Socket, response: ServerResponse): void {
    const before = this.#responses.get(socket);
    const saidClose = before?.headersSent && !before.shouldKeepAlive;
    if (this.#draining && (saidClose || this.#over.has(socket))) {
      this.#tooLate.add(response);
      return;
    }
    // Pipelined: Node would end the connection behind the first of them. The last one it has to be.
    if (this.#draining && before !== undefined && !before.headersSent) before.shouldKeepAlive = true;
    this.#responses.set(socket, response);
    response.once('close', () => {
      if (!response.shouldKeepAlive) this.#over.add(socket);
      if (this.#responses.get(socket) === response) this.#responses.delete(socket);
    });
    if (this.#draining) closeAfter(response, socket);
  }
}

// The public hook that sees every HTTP/1 request before its handlers and adds no listener to the server.
diagnostics.subscribe('http.server.request.start', Connections.onRequest);

// Node writes `Connection: close` and ends the connection behind this response. With its header already
// sent the connection stays, and the next request on it gets the header.
function closeAfter(response: ServerResponse, socket: net.Socket): void {
  if (response.headersSent) return;
  response.shouldKeepAlive = false;
  socket.destroySoon = lingeringClose; // what Node calls behind such a response
}

// A connection that is closed with something unread is reset, and the client may lose the answer, or stop at its own failed
// write before it has read why. So we say that we are done, and read on until the client is, too. RFC 9112, 9.6
function lingeringClose(this: net.Socket): void {
  if (this.writableEnded) return;
  this.end();
  const timer = setTimeout(() => this.destroy(), LINGER_MS).unref();
  this.once('close', () => clearTimeout(timer));
}

// A handler that answers at once would say `Connection: close` before Node has parsed the request behind it, which
// then stays unanswered. A turn later all that came together is known, and the last answer says it. What comes behind
// that is not handled, so that its client may send it again. RFC 9112, 9.6
function handleRequestsLater(server: net.Server, tooLate: (response: ServerResponse) => boolean): void {
  const emit = server.emit;
  server.emit = (event: string | symbol, ...args: unknown[]): boolean => {
    const response = args[1];
    if (event !== 'request' || !(response instanceof ServerResponse)) {
      return Reflect.apply(emit, server, [event, ...args]);
    }
    setImmediate(() => {
      // Its client may have left: as if the request had not come.
      if (!response.destroyed && !tooLate(response)) Reflect.apply(emit, server, [event, ...args]);
    });
    return true;
  };
}

// close() right away would refuse the streams that the client has opened and we have not seen.
function endSession(session: ServerHttp2Session): void {
  if (session.destroyed || session.closed) return;
  session.goaway(0, LAST_STREAM_ID);
  setTimeout(() => {
    if (!session.destroyed) session.close();
  }, GOAWAY_PAUSE_MS);
}
