// UnixServer: listens for UnixStream connections, with the habits of net.Server.
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { SOCK_STREAM } from '../fd/describe';
import type { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { ConnectionServer, SIGNAL_ELSEWHERE } from './connection-server';
import { consume } from './consume';
import { UnixStream } from './stream';
import { STREAM_OPTIONS, type StreamOptions, validateStreamOptions } from './stream-options';

/** What every connection gets. A signal for the server is one for listen(); a buffer is one of one connection. */
export type UnixServerOptions = Omit<StreamOptions, 'signal' | 'onread'>;

export interface AdoptUnixServerOptions extends UnixServerOptions {
  /** Take charge of the file of the address, too: close() removes it. Default false, it stays its maker's. */
  holdName?: boolean;
}

const { signal: _signal, onread: _onread, ...OPTIONS }: KnownNames<StreamOptions> = STREAM_OPTIONS;
const ADOPT_OPTIONS: KnownNames<AdoptUnixServerOptions> = { ...OPTIONS, holdName: true };

const ELSEWHERE = {
  ...SIGNAL_ELSEWHERE,
  onread:
    "its buffer is one of one connection, and this server would read all of them into it; on 'connection' adopt a duplicate: UnixStream.adopt(Fd.dup(connection), { onread })",
};

/**
 * Events: 'connection' (UnixStream; destroyed at once if nobody listens), 'listening', 'error', 'close'. Who passes no
 * descriptors takes listenUnix(), which makes a net.Server listen.
 */
export class UnixServer extends ConnectionServer<UnixStream> {
  constructor(options: UnixServerOptions = NO_OPTIONS) {
    validateOptions('options', options, OPTIONS, ELSEWHERE);
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
  static adopt(fd: Fd, options: AdoptUnixServerOptions = NO_OPTIONS): UnixServer {
    validateOptions('options', options, ADOPT_OPTIONS, ELSEWHERE);
    const { holdName = false, ...forConnections } = options;
    requireUnixSocket(fd, 'stream', true);
    return consume(fd, (own) => {
      const server = new UnixServer(forConnections);
      server.startOn(own, holdName === true);
      return server;
    });
  }
}
