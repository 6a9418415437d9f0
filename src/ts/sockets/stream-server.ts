// UnixServer: listens for UnixStream connections, with the habits of net.Server.
import { SOCK_STREAM } from '../fd/describe';
import type { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { ConnectionServer } from './connection-server';
import { consume } from './consume';
import { UnixStream } from './stream';
import { type StreamOptions, validateStreamOptions } from './stream-options';

/** What every connection gets. A signal for the server is one for listen(); a buffer is one of one connection. */
export type UnixServerOptions = Omit<StreamOptions, 'signal' | 'onread'>;

export interface AdoptUnixServerOptions extends UnixServerOptions {
  /** Take charge of the file of the address, too: close() removes it. Default false, it stays its maker's. */
  holdName?: boolean;
}

/**
 * Events: 'connection' (UnixStream; destroyed at once if nobody listens), 'listening', 'error', 'close'. Who passes no
 * descriptors takes listenUnix(), which makes a net.Server listen.
 */
export class UnixServer extends ConnectionServer<UnixStream> {
  constructor(options: UnixServerOptions = {}) {
    const { maxFds } = validateStreamOptions(options);
    super({
      type: SOCK_STREAM,
      maxFds,
      open: (fd) => UnixStream.own(fd, options),
      cut: (connection) => void connection.destroy(),
    });
  }

  /**
   * A server on a listener that somebody else made. Consumes `fd` unless it throws.
   * @throws ERR_FDPASS_WRONG_KIND unless it is a listening AF_UNIX stream socket
   */
  static adopt(fd: Fd, options: AdoptUnixServerOptions = {}): UnixServer {
    requireUnixSocket(fd, 'stream', true);
    return consume(fd, (own) => {
      const server = new UnixServer(options);
      server.startOn(own, options.holdName === true);
      return server;
    });
  }
}
