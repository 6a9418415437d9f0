// standIn(): a server listens without accepting: its connections are accepted elsewhere, and given to it.
import { AsyncResource } from 'node:async_hooks';
import { once } from 'node:events';
import type net from 'node:net';
import { unsupportedRuntime } from '../base/runtime';
import { UnixAddress } from './address';
import type { Fd } from './fd';
import { handleOf } from './handle';
import type { ServerHandle } from './inject';
import { requireKind } from './kind';
import { requireServer } from './server';
import { tcpClass } from './stream-handle';

/** Keeps the process alive, or not: a handle of libuv that listens would. Called when that changes. */
export type SetRef = (ref: boolean) => void;

/**
 * Makes `server` listen with a handle that has no socket, as cluster's round robin does it: it is 'listening', address() and the
 * descriptor are those of `fd`, the listener where connections come from, which is lent and has to stay open until the server closes.
 * Nothing is bound anywhere, so nobody can connect past whoever accepts. Resolves when it listens.
 * @param setRef true from here, false when the server is closed or unref'd
 * @returns the handle, for callOnConnection()
 * @throws ERR_FDPASS_WRONG_KIND; ERR_SERVER_ALREADY_LISTEN; ERR_FDPASS_UNSUPPORTED_RUNTIME
 */
export async function standIn(server: net.Server, fd: Fd, setRef: SetRef): Promise<ServerHandle> {
  const handle = listenAs(server, fd, setRef);
  await once(server, 'listening');
  return handle;
}

/** The same at once; 'listening' follows in the next tick. */
export function listenAs(server: net.Server, fd: Fd, setRef: SetRef): ServerHandle {
  requireServer(server);
  requireKind(fd, 'adoptServer()');
  const handle = makeHandle(fd, setRef);
  // net.Server.listen(handle) takes an instance of TCP only, of whatever family it is.
  server.listen({ _handle: handle });
  if (handleOf(server) !== handle) {
    server.close();
    throw unsupportedRuntime('connection of another acceptor');
  }
  setRef(true);
  return handle;
}

/** What net.Server calls of its handle in Node 20 to 26. Nothing of TCP's own may be reached: there is no object of C++. */
function makeHandle(fd: Fd, setRef: SetRef): ServerHandle {
  const resource = new AsyncResource('FDPASSLISTENER');
  const { local } = fd.describe();
  const own = {
    get fd() {
      return fd.fd;
    },
    listen: () => 0,
    close: () => setRef(false),
    ref: () => setRef(true),
    unref: () => setRef(false),
    getAsyncId: () => resource.asyncId(),
    // The address of an adopted AF_UNIX listener is null, too.
    getsockname: local instanceof UnixAddress ? undefined : (address: object) => fill(address, local),
  };
  return Object.create(tcpClass().prototype, Object.getOwnPropertyDescriptors(own)) as ServerHandle;
}

function fill(address: object, local: object | undefined): number {
  Object.assign(address, local);
  return 0;
}
