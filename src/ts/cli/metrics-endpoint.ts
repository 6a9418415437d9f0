// serveMetrics(): the metrics of a pool, to be had at a port, a path or a name.
import { once } from 'node:events';
import type net from 'node:net';
import type { SystemError } from '../base/errors';
import { explainPort } from '../names/address-in-use';
import type { PoolReport } from '../pool/metrics';
import { createMetricsServer } from '../pool/metrics-server';
import { listenUnix } from '../sockets/listen-unix';
import type { MetricsPlace } from './metrics-place';

/** @returns ends it @throws SystemError EADDRINUSE, EACCES, ... */
export async function serveMetrics(place: MetricsPlace, report: () => PoolReport): Promise<() => void> {
  const server = createMetricsServer(report);
  if ('path' in place) await listenUnix(server, place.path, { replaceStale: true });
  else await listen(server, place);
  server.unref();
  return () => {
    server.close();
    server.closeAllConnections();
  };
}

async function listen(server: net.Server, { port, host }: { port: number; host: string }): Promise<void> {
  try {
    await once(server.listen(port, host), 'listening');
  } catch (error) {
    const { address = host } = error as SystemError; // a name has been looked up
    throw explainPort(error as SystemError, { protocol: 'tcp', address, port });
  }
}
