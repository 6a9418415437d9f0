// UnixSeqpacketServer: listens for UnixSeqpacket connections, with the habits of net.Server.
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { SOCK_SEQPACKET } from '../fd/describe';
import type { Fd } from '../fd/fd';
import { requireUnixSocket } from '../fd/kind';
import { ConnectionServer, SIGNAL_ELSEWHERE } from './connection-server';
import { consume } from './consume';
import { validateSocketOptions } from './message';
import { SEQPACKET_OPTIONS, type SeqpacketOptions, UnixSeqpacket } from './seqpacket';

/** What every connection gets. A signal for the server is one for listen(). */
export type SeqpacketServerOptions = Omit<SeqpacketOptions, 'signal'>;

export interface AdoptSeqpacketServerOptions extends SeqpacketServerOptions {
  /** Take charge of the file of the address, too: close() removes it. Default false, it stays its maker's. */
  holdName?: boolean;
}

const { signal: _, ...OPTIONS }: KnownNames<SeqpacketOptions> = SEQPACKET_OPTIONS;
const ADOPT_OPTIONS: KnownNames<AdoptSeqpacketServerOptions> = { ...OPTIONS, holdName: true };

/**
 * Events: 'connection' (UnixSeqpacket; closed at once if nobody listens), 'listening', 'error', 'close'.
 */
export class UnixSeqpacketServer extends ConnectionServer<UnixSeqpacket> {
  constructor(options: SeqpacketServerOptions = NO_OPTIONS) {
    validateOptions('options', options, OPTIONS, SIGNAL_ELSEWHERE);
    const { maxFds } = validateSocketOptions(options, SEQPACKET_OPTIONS);
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
  static adopt(fd: Fd, options: AdoptSeqpacketServerOptions = NO_OPTIONS): UnixSeqpacketServer {
    validateOptions('options', options, ADOPT_OPTIONS, SIGNAL_ELSEWHERE);
    const { holdName = false, ...forConnections } = options;
    requireUnixSocket(fd, 'seqpacket', true);
    return consume(fd, (own) => {
      const server = new UnixSeqpacketServer(forConnections);
      server.startOn(own, holdName === true);
      return server;
    });
  }
}
