// The service of a server in a worker, by the way in which its connections come.
import type net from 'node:net';
import type { Fd } from '../fd/fd';
import { ServerService, type ServerServiceOptions } from '../handoff/service';
import type { ServiceWay } from './member';
import { PassedService } from './passed-service';

/** For a Wish. */
export function serverService(server: net.Server, options: Omit<ServerServiceOptions, 'ticketKeys'>) {
  return (_: Fd, { delivery, setRef, ticketKeys }: ServiceWay): ServerService | PassedService =>
    delivery === 'passed'
      ? new PassedService(server, { ...options, ticketKeys, setRef })
      : new ServerService(server, { ...options, ticketKeys });
}
