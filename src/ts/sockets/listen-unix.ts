// listenUnix(): a server of Node listens on any AF_UNIX address.
import type net from 'node:net';
import { FdpassError } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { adoptServer, refuseClusterWorker } from '../fd/adopt';
import { SOCK_STREAM } from '../fd/describe';
import { Fd } from '../fd/fd';
import { requireServer } from '../fd/server';
import { BIND_OPTIONS, type BindOptions, type BoundName, bindUnix } from '../names/bind-path';
import { binding } from '../native/binding';

export interface ListenUnixOptions extends BindOptions {
  /** Connections that wait to be accepted. Default 511, cut by net.core.somaxconn. */
  backlog?: number | undefined;
}

const OPTIONS: KnownNames<ListenUnixOptions> = { ...BIND_OPTIONS, backlog: true };

/**
 * Makes a net, tls, http, https or http2 server listen on a path or on an '@name' of exactly that length (Node 20's
 * own net pads abstract names to 108 bytes and cuts long paths). Resolves once 'listening' has been emitted. Any
 * close() of the server removes the file, if it is still ours; a process that is killed leaves it (`replaceStale`).
 * Whoever hands the listener to another process says `unlinkOnClose: false`: the file is that one's, then.
 *
 * On rejection nothing is left, and the server can listen again.
 * @throws SystemError EADDRINUSE, EACCES, ENOENT, EPERM; ERR_SERVER_ALREADY_LISTEN; ERR_FDPASS_CLUSTER_WORKER;
 * ERR_FDPASS_UNSUPPORTED_RUNTIME in Bun for a server of http or https; TypeError, RangeError for wrong arguments. unix(7)
 */
export async function listenUnix<S extends net.Server>(
  server: S,
  address: AddressLike,
  options: ListenUnixOptions = NO_OPTIONS,
): Promise<S> {
  requireServer(server);
  const to = UnixAddress.from(address);
  validateOptions('options', options, OPTIONS);
  const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 1, 2 ** 31 - 1);
  // Before the name is taken: `replace` cannot give it back to whoever had it.
  refuseClusterWorker();
  if (server.listening) {
    throw new FdpassError('ERR_SERVER_ALREADY_LISTEN', 'this server listens already; close() it first');
  }
  await serve(server, to, { ...options, backlog });
  // 'listening' is in the queue of ticks since listen(): behind it, it has been emitted.
  await new Promise<void>((resolve) => process.nextTick(resolve));
  return server;
}

async function serve(
  server: net.Server,
  to: UnixAddress,
  options: BindOptions & { backlog: number },
): Promise<void> {
  const { backlog } = options;
  using fd = Fd.own(binding.openSocket(SOCK_STREAM));
  // The adoption needs one descriptor more: that there is none shows before the name is taken.
  using reserve = Fd.dup(fd);
  const name = bindUnix({ fd: fd.fd, type: SOCK_STREAM, backlog }, to, options);
  try {
    const address = to.kind === 'unnamed' ? UnixAddress.fromSunPath(binding.localUnixAddress(fd.fd)) : to;
    reserve.close();
    const adopted = adoptServer(server, fd, { backlog });
    // It listens before its promise says so, and somebody may close it in between.
    if (server.listening) lendName(server, name, address);
    await adopted;
  } catch (error) {
    name.unlink();
    throw error;
  }
}

type End = (...args: unknown[]) => void;

interface Internals {
  /** In Bun it has stop() instead. */
  _handle: { close: End; stop?: End };
  _pipeName: string | undefined;
}

/**
 * Ties the name to the handle of this listening. Its close() is where every way to stop a server ends:
 * server.close() of all kinds, net.Server.prototype.close.call(server), a signal, `await using`. There the
 * descriptor is still open, so that its inode cannot be another file's yet, and is closed at once: nobody gets into
 * the queue of a listener that has no server. (On 'close' the descriptor is closed long since; a duplicate to keep
 * it open would keep it listening.) An override of server.close() would miss the other ways, and outlive them.
 */
function lendName(server: net.Server, name: BoundName, address: UnixAddress): void {
  const internals = server as unknown as Internals;
  const { _handle: handle } = internals;
  const verb = handle.stop === undefined ? 'close' : 'stop';
  const end = handle[verb] as End;
  handle[verb] = (...args) => {
    name.unlink();
    internals._pipeName = undefined;
    Reflect.apply(end, handle, args);
  };
  // What server.address() shows: a Pipe that was bound elsewhere does not know its name.
  internals._pipeName = address.sunPath.toString();
}
