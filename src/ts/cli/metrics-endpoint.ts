// serveMetrics(): the metrics of a pool, to be had at a port, a path or a name.
import { once } from 'node:events';
import type { PoolReport } from '../pool/metrics';
import { createMetricsServer } from '../pool/metrics-server';
import { listenUnix } from '../sockets/listen-unix';
import type { MetricsPlace } from './metrics-place';

/** @returns ends it @throws SystemError EADDRINUSE, EACCES, ... */
export async function serveMetrics(place: MetricsPlace, report: () => PoolReport): Promise<() => void> {
  const server = createMetricsServer(report);
  if ('path' in place) await listenUnix(server, place.path, { replaceStale: true });
  else await once(server.listen(place), 'listening');
  server.unref();
  return () => {
    server.close();
    server.closeAllConnections();
  };
}
