// The service of a server in a worker, by the way its connections come.
import type net from 'node:net';
import type { Fd } from '../fd/fd';
import { ServerService, type ServerServiceOptions } from '../handoff/service';
import type { Delivery } from './messages';

export function serverService(
  server: net.Server,
  options: ServerServiceOptions,
): (fd: Fd, delivery: Delivery) => ServerService {
  return () => new ServerService(server, options);
}
