// The service of a server in a worker, by the way in which its connections come.
import type net from 'node:net';
import type { Fd } from '../fd/fd';
import type { SetRef } from '../fd/stand-in';
import { ServerService, type ServerServiceOptions } from '../handoff/service';
import type { Delivery } from './messages';
import { PassedService } from './passed-service';

/** For a Wish. */
export function serverService(server: net.Server, options: ServerServiceOptions) {
  return (_: Fd, delivery: Delivery, setRef: SetRef): ServerService | PassedService =>
    delivery === 'passed'
      ? new PassedService(server, { ...options, setRef })
      : new ServerService(server, options);
}
