// The metrics of a pool over HTTP: GET /metrics for Prometheus, /metrics.json, /healthz.
import http from 'node:http';
import { METRICS_TYPE, PoolMetrics, type PoolReport } from './metrics';
import { jsonOf } from './metrics-json';

/** A scrape that takes longer than this is none. */
const TIMEOUT_MS = 10_000;

/** Scrapers that come at the same time. */
const MAX_CONNECTIONS = 64;

/** @returns a server that listens nowhere yet */
export function createMetricsServer(report: () => PoolReport): http.Server {
  const metrics = new PoolMetrics();
  const server = http.createServer(
    { requestTimeout: TIMEOUT_MS, keepAliveTimeout: TIMEOUT_MS },
    (request, response) => {
      const { method } = request;
      if (method === 'GET' || method === 'HEAD') respondOrFail(request.url ?? '/', response, report, metrics);
      else end(response, 405, TEXT, 'only GET and HEAD\n', { Allow: 'GET, HEAD' });
    },
  );
  server.on('error', () => {}); // of accept(2), without descriptors: scrapers come again. listen() tells its own
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(TIMEOUT_MS);
  return server;
}

const TEXT = 'text/plain; charset=utf-8';

/** Whoever asks must not be the end of the process that is asked. */
function respondOrFail(...args: Parameters<typeof respond>): void {
  try {
    respond(...args);
  } catch (error) {
    const [, response] = args;
    const why = error instanceof Error ? error.message : String(error);
    end(response, 500, TEXT, `there are no figures: ${why}\n`);
  }
}

function respond(
  url: string,
  response: http.ServerResponse,
  report: () => PoolReport,
  metrics: PoolMetrics,
): void {
  switch (url.split('?', 1)[0]) {
    case '/metrics':
      end(response, 200, METRICS_TYPE, metrics.text(report()));
      break;
    case '/metrics.json':
      end(response, 200, 'application/json', `${jsonOf(report())}\n`);
      break;
    case '/healthz': {
      const serving = report().pool.workers.filter(
        ({ state }) => state === 'serving' || state === 'probation',
      ).length;
      end(response, serving > 0 ? 200 : 503, TEXT, serving > 0 ? 'ok\n' : 'no worker serves\n');
      break;
    }
    default:
      end(response, 404, TEXT, 'there are /metrics, /metrics.json and /healthz\n');
  }
}

function end(
  response: http.ServerResponse,
  status: number,
  type: string,
  body: string,
  more: http.OutgoingHttpHeaders = {},
): void {
  const length = Buffer.byteLength(body);
  response.writeHead(status, {
    'Content-Type': type,
    'Content-Length': length,
    'Cache-Control': 'no-store',
    ...more,
  });
  response.end(body);
}
