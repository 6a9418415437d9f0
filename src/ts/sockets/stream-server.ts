// UnixServer: listens for UnixStream connections, with the habits of net.Server.
import { SOCK_STREAM } from '../fd/describe';
import type { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { ConnectionServer } from './connection-server';
import { consume } from './consume';
import { UnixStream } from './stream';
import { type StreamOptions, validateStreamOptions } from './stream-options';

export interface AdoptUnixServerOptions extends StreamOptions {
  /** Take charge of the file of the address, too: close() removes it. Default false, it stays its maker's. */
  holdName?: boolean;
}

/**
 * Events: 'connection' (UnixStream; destroyed at once if nobody listens), 'listening', 'error', 'close'. The options
 * are those of every connection. Where no descriptors are passed, listenUnix() serves with net.Server instead.
 */
export class UnixServer extends ConnectionServer<UnixStream> {
  constructor(options: StreamOptions = {}) {
    const { maxFds } = validateStreamOptions(options);
    super({
      type: SOCK_STREAM,
      maxFds,
      open: (fd) => UnixStream.own(fd, options),
      refuse: (connection) => void connection.destroy(),
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
