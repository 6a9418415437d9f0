// adoptServer(), adoptSocket(), adoptUdp(): an owned descriptor becomes the object of Node that has a handle of libuv.
// libuv sets O_NONBLOCK on what it is given. The flag belongs to the open file description: whoever else holds it, in any
// process, finds it set, too. fcntl(2)
import cluster from 'node:cluster';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { FdpassError } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { unsupportedRuntime } from '../base/runtime';
import { validateInteger } from '../base/validate';
import { accessOf, linkOf } from './access';
import { UnixAddress } from './address';
import { Fd } from './fd';
import { handleOf } from './handle';
import { requireKind } from './kind';
import { requireServer } from './server';
import { bindDuplicate } from './udp';

// When listening fails, Node has closed the descriptor that it was given. A duplicate makes that its
// own affair: the Fd stays whole until the adoption has succeeded. What `give` throws was thrown before
// Node took the number (a server that listens already, for one).
function giveDuplicate<T>(fd: Fd, give: (fd: number) => T): T {
  using duplicate = Fd.dup(fd);
  const result = give(duplicate.fd);
  duplicate.detach();
  return result;
}

async function untilListening(socket: dgram.Socket, bind: () => void): Promise<void> {
  const abandon = new AbortController();
  const listening = once(socket, 'listening', { signal: abandon.signal });
  try {
    bind();
  } catch (error) {
    listening.catch(() => {}); // the abort, which nobody else is told of
    abandon.abort();
    throw error;
  }
  await listening;
}

export interface AdoptServerOptions {
  /** Default 511. A shared listener has one backlog: the last holder that sets it decides. */
  backlog?: number;
}

const SERVER_OPTIONS: KnownNames<AdoptServerOptions> = { backlog: true };

/**
 * Makes `server` accept on a listening stream socket, TCP or unix. Resolves once it accepts.
 * Consumes `fd` when it resolves; on rejection the caller still owns it. O_NONBLOCK is set for everyone who
 * holds the listener, and so is the backlog.
 * @throws ERR_FDPASS_WRONG_KIND for anything but a listening stream socket; ERR_FDPASS_CLUSTER_WORKER;
 * ERR_FDPASS_UNSUPPORTED_RUNTIME in Bun for a server of http or https
 */
export async function adoptServer<S extends net.Server>(
  server: S,
  fd: Fd,
  options: AdoptServerOptions = NO_OPTIONS,
): Promise<S> {
  validateOptions('options', options, SERVER_OPTIONS);
  const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 1, 2 ** 31 - 1);
  requireServer(server);
  requireKind(fd, 'adoptServer()');
  refuseClusterWorker();
  // { fd, backlog } ignores the backlog; as a second argument it counts (net.Server.listen, Node 20 to 26).
  giveDuplicate(fd, (duplicate) => {
    server.listen({ fd: duplicate }, backlog);
    refuseOtherAddress(server, fd);
  });
  // It accepts from here; 'listening' says so a tick later, or 'error' that it does not.
  if (!server.listening) await once(server, 'listening');
  fd.close();
  return server;
}

/** A runtime that does not know `fd` of listen() has bound a port of its own, and has not taken the number. */
function refuseOtherAddress(server: net.Server, fd: Fd): void {
  const address = server.listening ? server.address() : null;
  if (address === null || typeof address !== 'object' || address.port === undefined) return; // AF_UNIX
  const { local } = fd.describe();
  if (local !== undefined && !(local instanceof UnixAddress) && local.port === address.port) return;
  server.close();
  throw unsupportedRuntime('server on a descriptor');
}

/**
 * listen({ fd }) in a worker means a descriptor of the primary.
 * @throws ERR_FDPASS_CLUSTER_WORKER
 */
export function refuseClusterWorker(): void {
  if (!cluster.isWorker) return;
  throw new FdpassError(
    'ERR_FDPASS_CLUSTER_WORKER',
    'a cluster worker cannot adopt a listener; adopt it in the primary',
  );
}

export interface AdoptSocketOptions {
  allowHalfOpen?: boolean;
  /** Stop reading until the caller resumes. Default false. */
  pauseOnCreate?: boolean;
}

const SOCKET_OPTIONS: KnownNames<AdoptSocketOptions> = { allowHalfOpen: true, pauseOnCreate: true };

/**
 * A connected TCP or unix stream, or a pipe, as net.Socket. Consumes `fd`. O_NONBLOCK is set for everyone who holds
 * it: a process that still reads the same pipe as blocking gets EAGAIN from here.
 * @throws ERR_FDPASS_WRONG_KIND for a listener, a datagram socket or a file, which net.Socket would misread;
 * ERR_FDPASS_UNSUPPORTED_RUNTIME in Bun for a pipe. `fd` stays the caller's
 */
export function adoptSocket(fd: Fd, options: AdoptSocketOptions = NO_OPTIONS): net.Socket {
  validateOptions('options', options, SOCKET_OPTIONS);
  requireKind(fd, 'adoptSocket()');
  const socket = giveDuplicate(fd, (duplicate) => {
    const made = new net.Socket({
      fd: duplicate,
      ...accessOf(duplicate), // it fails with ENOTCONN when it reads from the writing end of a pipe
      allowHalfOpen: options.allowHalfOpen ?? false,
      ...(options.pauseOnCreate ? { pauseOnCreate: true } : {}),
    } as net.SocketConstructorOpts);
    if (!handleOf(made)) connectToDescriptor(made, duplicate, options);
    return made;
  });
  fd.close();
  return socket;
}

// Bun's constructor ignores the number, and connect() takes it; of sockets only, which it reads with recv(2).
function connectToDescriptor(socket: net.Socket, number: number, options: AdoptSocketOptions): void {
  if (!linkOf(number).startsWith('socket:')) throw unsupportedRuntime('socket on a descriptor');
  socket.connect({ fd: number } as unknown as net.SocketConnectOpts);
  if (!handleOf(socket)) throw unsupportedRuntime('socket on a descriptor');
  if (options.pauseOnCreate) socket.pause();
}

/**
 * A UDP socket as dgram.Socket. Resolves once it is 'listening'. Consumes `fd` when it resolves. O_NONBLOCK is set for
 * everyone who holds it.
 * @throws ERR_FDPASS_WRONG_KIND for anything but a UDP socket; ERR_FDPASS_UNSUPPORTED_RUNTIME in Deno
 */
export async function adoptUdp(fd: Fd): Promise<dgram.Socket> {
  requireKind(fd, 'adoptUdp()');
  const socket = dgram.createSocket(fd.describe().family === 'inet6' ? 'udp6' : 'udp4');
  await untilListening(socket, () => bindDuplicate(socket, fd));
  fd.close();
  return socket;
}
