// Where metrics are to be had: a port, a path, or a name.
import { UsageError } from './command';

/** As of Handoff.listen(). */
export type MetricsPlace = { port: number; host: string } | { path: string };

/** Without a host it is this machine only: what a pool does is nobody's business else. */
const HERE = '127.0.0.1';

/** '9100', 'host:9100', '[::1]:9100'; './metrics.sock', '/run/metrics.sock'; '@name'. @throws UsageError */
export function readMetricsPlace(text: string): MetricsPlace {
  if (/^@./.test(text) || text.includes('/')) return { path: text };
  const [, ipv6, host = ipv6, port = ''] = /^(?:(?:\[(.+)\]|([^:]+)):)?(\d{1,5})$/.exec(text) ?? [];
  if (port !== '' && Number(port) <= 65_535) return { port: Number(port), host: host ?? HERE };
  throw new UsageError(`--metrics takes a port, host:port, a path with a '/', or @name, not '${text}'`);
}
