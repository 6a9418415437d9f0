// injectConnection(): a server is given a connection that somebody else has accepted, and treats it as its own.
import type net from 'node:net';
import { unsupportedRuntime } from '../base/runtime';
import type { Fd } from './fd';
import { type Handle, handleOf } from './handle';
import { openConnection } from './stream-handle';

/** The handle of a listening server: what libuv calls when a connection has come. */
export interface ServerHandle extends Handle {
  onconnection?: (status: number, client: Handle) => void;
}

/**
 * As if `server`, which listens, had accepted it: maxConnections and 'drop', blockList, pauseOnConnect, noDelay, keepAlive,
 * TLS, getConnections() and the end of close() are all Node's own doing. Consumes `fd`, a connected stream socket; a server that does
 * not listen (any more) closes it.
 * @throws SystemError if it is no socket; ERR_FDPASS_UNSUPPORTED_RUNTIME; and what the program's handlers throw. `fd` is consumed
 */
export function injectConnection(server: net.Server, fd: Fd): void {
  const handle = handleOf(server);
  if (handle) callOnConnection(handle, fd);
  else fd.close();
}

/**
 * The same with the handle that a server listens with, or has listened with: connections that were on their way when it
 * stopped are served, too. The function of cluster's round robin (lib/internal/cluster/child.js), Node 0.12 to 26.
 */
export function callOnConnection(handle: ServerHandle, fd: Fd): void {
  if (typeof handle.onconnection !== 'function') {
    fd.close();
    throw unsupportedRuntime('connection of another acceptor');
  }
  handle.onconnection(0, openConnection(fd));
}
