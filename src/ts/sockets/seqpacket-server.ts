// UnixSeqpacketServer: listens for UnixSeqpacket connections, with the habits of net.Server.
import { SOCK_SEQPACKET } from '../fd/describe';
import type { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { ConnectionServer } from './connection-server';
import { consume } from './consume';
import { validateSocketOptions } from './message';
import { type SeqpacketOptions, UnixSeqpacket } from './seqpacket';

/** What every connection gets. A signal for the server is one for listen(). */
export type SeqpacketServerOptions = Omit<SeqpacketOptions, 'signal'>;

export interface AdoptSeqpacketServerOptions extends SeqpacketServerOptions {
  /** Take charge of the file of the address, too: close() removes it. Default false, it stays its maker's. */
  holdName?: boolean;
}

/**
 * Events: 'connection' (UnixSeqpacket; closed at once if nobody listens), 'listening', 'error', 'close'.
 */
export class UnixSeqpacketServer extends ConnectionServer<UnixSeqpacket> {
  constructor(options: SeqpacketServerOptions = {}) {
    const { maxFds } = validateSocketOptions(options);
    super({
      type: SOCK_SEQPACKET,
      maxFds,
      open: (fd) => new UnixSeqpacket(options, fd),
      cut: (connection) => void connection.close(),
    });
  }

  /**
   * A server on a listener that somebody else made. Consumes `fd` unless it throws.
   * @throws ERR_FDPASS_WRONG_KIND unless it is a listening AF_UNIX seqpacket socket
   */
  static adopt(fd: Fd, options: AdoptSeqpacketServerOptions = {}): UnixSeqpacketServer {
    requireUnixSocket(fd, 'seqpacket', true);
    return consume(fd, (own) => {
      const server = new UnixSeqpacketServer(options);
      server.startOn(own, options.holdName === true);
      return server;
    });
  }
}
