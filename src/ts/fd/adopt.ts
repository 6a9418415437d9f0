// adopt*(): an owned descriptor becomes the object of Node that fits it.
import cluster from 'node:cluster';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { constants, readFileSync } from 'node:fs';
import net from 'node:net';
import { FdpassError } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { validateInteger } from '../base/validate';
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
 * Consumes `fd` when it resolves; on rejection the caller still owns it.
 * @throws ERR_FDPASS_WRONG_KIND for anything but a listening stream socket
 */
export async function adoptServer<S extends net.Server>(
  server: S,
  fd: Fd,
  options: AdoptServerOptions = {},
): Promise<S> {
  const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 1, 2 ** 31 - 1);
  requireKind(fd, 'a listening stream socket', (info) => info.type === 'stream' && info.listening === true);
  if (cluster.isWorker) {
    // listen({ fd }) in a worker means a descriptor of the primary.
    throw new FdpassError(
      'ERR_FDPASS_CLUSTER_WORKER',
      'a cluster worker cannot adopt a listener; adopt it in the primary',
    );
  }
  // { fd, backlog } ignores the backlog; as a second argument it counts (net.Server.listen, Node 20 to 26).
  giveDuplicate(fd, (duplicate) => server.listen({ fd: duplicate }, backlog));
  // It accepts from here; 'listening' says so a tick later, or 'error' that it does not.
  if (!server.listening) await once(server, 'listening');
  fd.close();
  return server;
}

export interface AdoptSocketOptions {
  allowHalfOpen?: boolean;
  /** Stop reading until the caller resumes. Default false. */
  pauseOnCreate?: boolean;
}

/**
 * A connected TCP or unix stream, or a pipe, as net.Socket. Consumes `fd`.
 * @throws ERR_FDPASS_WRONG_KIND for a listener, a datagram socket or a file, which net.Socket would misread
 */
export function adoptSocket(fd: Fd, options: AdoptSocketOptions = {}): net.Socket {
  requireKind(
    fd,
    'a connected stream socket or a pipe',
    (info) =>
      info.kind === 'pipe' ||
      (info.type === 'stream' && info.listening === false && info.remote !== undefined),
  );
  const socket = giveDuplicate(
    fd,
    (duplicate) =>
      new net.Socket({
        fd: duplicate,
        ...directions(duplicate),
        allowHalfOpen: options.allowHalfOpen ?? false,
        ...(options.pauseOnCreate ? { pauseOnCreate: true } : {}),
      } as net.SocketConstructorOpts),
  );
  fd.close();
  return socket;
}

// net.Socket fails with ENOTCONN when it reads from the writing end of a pipe. O_ACCMODE is the last two bits
// of the flags, which are octal. proc_pid_fdinfo(5), open(2)
function directions(fd: number): { readable: boolean; writable: boolean } {
  const flags = /^flags:\s+([0-7]+)$/m.exec(readFileSync(`/proc/self/fdinfo/${fd}`, 'latin1'))?.[1];
  const mode = Number.parseInt(flags ?? '2', 8) & (constants.O_WRONLY | constants.O_RDWR);
  return { readable: mode !== constants.O_WRONLY, writable: mode !== constants.O_RDONLY };
}

/**
 * A UDP socket as dgram.Socket. Resolves once it is 'listening'. Consumes `fd` when it resolves.
 * @throws ERR_FDPASS_WRONG_KIND for anything but a UDP socket
 */
export async function adoptUdp(fd: Fd): Promise<dgram.Socket> {
  requireKind(fd, 'a UDP socket', (info) => info.type === 'dgram' && info.family !== 'unix');
  const socket = dgram.createSocket(fd.describe().family === 'inet6' ? 'udp6' : 'udp4');
  // exclusive: else a cluster worker would look for the number in the primary.
  await untilListening(socket, fd, (duplicate) => socket.bind({ fd: duplicate, exclusive: true }));
  fd.close();
  return socket;
}
