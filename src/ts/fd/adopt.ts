// adoptServer(), adoptSocket(), adoptUdp(): an owned descriptor becomes the object of Node that has a handle of libuv.
// libuv sets O_NONBLOCK on what it is given. The flag belongs to the open file description: whoever else holds it, in any
// process, finds it set, too. fcntl(2)
import cluster from 'node:cluster';
import dgram from 'node:dgram';
import { once } from 'node:events';
import net from 'node:net';
import { FdpassError } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { validateInteger } from '../base/validate';
import { accessOf } from './access';
import { Fd } from './fd';
import { requireKind } from './kind';

// When listening fails, Node has closed the descriptor that it was given. A duplicate makes that its
// own affair: the Fd stays whole until the adoption has succeeded. What `give` throws was thrown before
// Node took the number (a server that listens already, for one).
function giveDuplicate<T>(fd: Fd, give: (fd: number) => T): T {
  using duplicate = Fd.dup(fd);
  const result = give(duplicate.fd);
  duplicate.detach();
  return result;
}

async function untilListening(socket: dgram.Socket, fd: Fd, give: (fd: number) => void): Promise<void> {
  const abandon = new AbortController();
  const listening = once(socket, 'listening', { signal: abandon.signal });
  try {
    giveDuplicate(fd, give);
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

/**
 * Makes `server` accept on a listening stream socket, TCP or unix. Resolves once it accepts.
 * Consumes `fd` when it resolves; on rejection the caller still owns it. O_NONBLOCK is set for everyone who
 * holds the listener, and so is the backlog.
 * @throws ERR_FDPASS_WRONG_KIND for anything but a listening stream socket; ERR_FDPASS_CLUSTER_WORKER
 */
export async function adoptServer<S extends net.Server>(
  server: S,
  fd: Fd,
  options: AdoptServerOptions = {},
): Promise<S> {
  const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 1, 2 ** 31 - 1);
  requireKind(fd, 'adoptServer()');
  refuseClusterWorker();
  // { fd, backlog } ignores the backlog; as a second argument it counts (net.Server.listen, Node 20 to 26).
  giveDuplicate(fd, (duplicate) => server.listen({ fd: duplicate }, backlog));
  // It accepts from here; 'listening' says so a tick later, or 'error' that it does not.
  if (!server.listening) await once(server, 'listening');
  fd.close();
  return server;
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

/**
 * A connected TCP or unix stream, or a pipe, as net.Socket. Consumes `fd`. O_NONBLOCK is set for everyone who holds
 * it: a process that still reads the same pipe as blocking gets EAGAIN from here.
 * @throws ERR_FDPASS_WRONG_KIND for a listener, a datagram socket or a file, which net.Socket would misread
 */
export function adoptSocket(fd: Fd, options: AdoptSocketOptions = {}): net.Socket {
  requireKind(fd, 'adoptSocket()');
  const socket = giveDuplicate(
    fd,
    (duplicate) =>
      new net.Socket({
        fd: duplicate,
        ...accessOf(duplicate), // it fails with ENOTCONN when it reads from the writing end of a pipe
        allowHalfOpen: options.allowHalfOpen ?? false,
        ...(options.pauseOnCreate ? { pauseOnCreate: true } : {}),
      } as net.SocketConstructorOpts),
  );
  fd.close();
  return socket;
}

/**
 * A UDP socket as dgram.Socket. Resolves once it is 'listening'. Consumes `fd` when it resolves. O_NONBLOCK is set for
 * everyone who holds it.
 * @throws ERR_FDPASS_WRONG_KIND for anything but a UDP socket
 */
export async function adoptUdp(fd: Fd): Promise<dgram.Socket> {
  requireKind(fd, 'adoptUdp()');
  const socket = dgram.createSocket(fd.describe().family === 'inet6' ? 'udp6' : 'udp4');
  // exclusive: else a cluster worker would look for the number in the primary.
  await untilListening(socket, fd, (duplicate) => socket.bind({ fd: duplicate, exclusive: true }));
  fd.close();
  return socket;
}
