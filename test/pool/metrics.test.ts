// What Prometheus reads: the text by its grammar, counters that never fall, a server at a port, a path and a name.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import type { AddressInfo } from 'node:net';
import test from 'node:test';
import type { WorkerStatus } from '#fdpass/handoff/pool-status';
import { PoolMetrics, type PoolReport } from '#fdpass/pool/metrics';
import { createMetricsServer } from '#fdpass/pool/metrics-server';
import { workerStatus } from '../helpers/fake-pool';

function report(workers: WorkerStatus[], more: Partial<PoolReport> = {}): PoolReport {
  return {
    name: 'shop',
    pool: { balance: 'least', kind: 'processes', size: workers.length, listeners: [], workers },
    rolls: { committed: 2, failed: 1, rolledback: 0 },
    primary: { pid: 1, generation: 1, rssBytes: 40e6, cpuMs: 1_500, ageMs: 10 },
    ...more,
  };
}

/** Every sample by its name and labels; fails on what the format does not have. */
function parse(text: string): Map<string, number> {
  const samples = new Map<string, number>();
  let family = '';
  for (const line of text.trimEnd().split('\n')) {
    const head = /^# (HELP|TYPE) ([a-z_]+) (.+)$/.exec(line);
    if (head !== null) {
      if (head[1] === 'HELP') family = head[2] as string;
      else assert.match(head[3] as string, /^(gauge|counter)$/);
      continue;
    }
    const sample =
      /^(([a-z_]+)\{[a-z]+="(?:[^"\\\n]|\\["\\n])*"(?:,[a-z]+="(?:[^"\\\n]|\\["\\n])*")*\}) (\S+)$/.exec(
        line,
      );
    assert.ok(sample !== null, line);
    assert.equal(sample[2], family, 'behind its HELP and TYPE');
    assert.ok(!samples.has(sample[1] as string), `twice: ${line}`);
    assert.ok(Number.isFinite(Number(sample[3])), line);
    samples.set(sample[1] as string, Number(sample[3]));
  }
  return samples;
}

const ask = async (server: http.Server, path: string, method = 'GET') => {
  const { port } = server.address() as AddressInfo;
  const request = http.request({ port, host: '127.0.0.1', path, method, agent: false }).end();
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  let body = '';
  for await (const part of response.setEncoding('utf8')) body += part;
  return { status: response.statusCode, type: response.headers['content-type'], body };
};

test('each figure is there by the name and unit that Prometheus users expect', () => {
  const figures = {
    connections: 3,
    accepted: 10,
    requests: 25,
    loopLagMs: 12,
    rssBytes: 50e6,
    cpuMs: 2_500,
  };
  const samples = parse(
    new PoolMetrics().text(report([workerStatus(1, { ...figures, restarts: 4 }), workerStatus(2)])),
  );
  const of = (name: string): number | undefined => samples.get(name);
  assert.equal(of('fdpass_pool_workers{pool="shop",state="serving"}'), 2);
  assert.equal(of('fdpass_pool_workers{pool="shop",state="waiting"}'), 0);
  assert.equal(of('fdpass_pool_workers_wanted{pool="shop"}'), 2);
  assert.equal(of('fdpass_pool_rolls_total{pool="shop",outcome="failed"}'), 1);
  assert.equal(of('fdpass_worker_connections{pool="shop",worker="1"}'), 3);
  assert.equal(of('fdpass_worker_connections_accepted_total{pool="shop",worker="1"}'), 10);
  assert.equal(of('fdpass_worker_http_requests_total{pool="shop",worker="1"}'), 25);
  assert.equal(of('fdpass_worker_event_loop_lag_seconds{pool="shop",worker="1"}'), 0.012);
  assert.equal(of('fdpass_worker_restarts_total{pool="shop",worker="1"}'), 4);
  assert.equal(of('process_resident_memory_bytes{pool="shop",worker="1"}'), 50e6);
  assert.equal(of('process_cpu_seconds_total{pool="shop",worker="1"}'), 2.5);
  assert.equal(of('process_cpu_seconds_total{pool="shop",worker="primary"}'), 1.5);
  assert.equal(
    of('fdpass_worker_connections{pool="shop",worker="2"}'),
    undefined,
    'it has not said anything yet',
  );
});

test('counters of a place never fall while its workers come and go', () => {
  const metrics = new PoolMetrics();
  const accepted = (...workers: WorkerStatus[]): number | undefined =>
    parse(metrics.text(report(workers))).get(
      'fdpass_worker_connections_accepted_total{pool="shop",worker="1"}',
    );
  const one = (generation: number, accepted: number) => workerStatus(1, { generation, accepted });
  assert.equal(accepted(one(1, 10)), 10);
  assert.equal(accepted(one(1, 12), one(2, 0)), 12, 'both are in one place during a roll');
  assert.equal(accepted(one(1, 15), one(2, 5)), 20);
  assert.equal(accepted(one(2, 6)), 21);
  assert.equal(accepted(), undefined);
  assert.equal(accepted(one(3, 1)), 22);
});

test('threads do not tell the memory of their process as theirs', () => {
  const pool = report([workerStatus(1, { rssBytes: 5, cpuMs: 5 })]);
  const samples = parse(new PoolMetrics().text({ ...pool, pool: { ...pool.pool, kind: 'threads' } }));
  const memory = [...samples.keys()].filter((name) => name.startsWith('process_resident'));
  assert.deepEqual(memory, ['process_resident_memory_bytes{pool="shop",worker="primary"}']);
});

test('milliseconds are told to a tenth, seconds to a millionth', async (t) => {
  const told = report([
    workerStatus(1, { loopLagMs: 0.20866300000000002, cpuMs: 1_234.56789, ageMs: 10.06 }),
  ]);
  const text = new PoolMetrics().text(told);
  assert.match(text, /^fdpass_worker_event_loop_lag_seconds\{.*\} 0\.000209$/m);
  assert.match(text, /^process_cpu_seconds_total\{pool="shop",worker="1"\} 1\.234568$/m);
  const server = createMetricsServer(() => told).listen(0, '127.0.0.1');
  t.after(() => void server.close());
  await once(server, 'listening');
  const [{ loopLagMs, cpuMs, ageMs }] = JSON.parse((await ask(server, '/metrics.json')).body).pool.workers;
  assert.deepEqual([loopLagMs, cpuMs, ageMs], [0.2, 1_234.6, 10.1]);
});

test('labels are escaped', () => {
  const text = new PoolMetrics().text(report([], { name: 'a"b\\c\nd' }));
  assert.ok(parse(text).has('fdpass_pool_workers_wanted{pool="a\\"b\\\\c\\nd"}'));
});

test('a report that cannot be made is a 500, and an accept that fails is nothing', async (t) => {
  const thrown = [new Error('EMFILE, too many open files'), 'no figures'];
  const server = createMetricsServer(() => {
    throw thrown.shift();
  }).listen(0, '127.0.0.1');
  t.after(() => void server.close());
  await once(server, 'listening');
  const first = await ask(server, '/metrics');
  assert.deepEqual([first.status, first.body], [500, 'there are no figures: EMFILE, too many open files\n']);
  assert.equal((await ask(server, '/healthz')).status, 500);
  server.emit('error', new Error('accept EMFILE'));
});

test('the server answers scrapers, scripts and probes', async (t) => {
  let workers = [workerStatus(1)];
  const server = createMetricsServer(() => report(workers)).listen(0, '127.0.0.1');
  t.after(() => void server.close());
  await once(server, 'listening');
  const text = await ask(server, '/metrics?format=text');
  assert.deepEqual([text.status, text.type], [200, 'text/plain; version=0.0.4; charset=utf-8']);
  assert.ok(parse(text.body).size > 5);
  assert.deepEqual(JSON.parse((await ask(server, '/metrics.json')).body), report(workers));
  assert.equal((await ask(server, '/metrics', 'HEAD')).body, '');
  assert.deepEqual(
    [(await ask(server, '/')).status, (await ask(server, '/metrics', 'POST')).status],
    [404, 405],
  );
  assert.equal((await ask(server, '/healthz')).status, 200);
  workers = [workerStatus(1, { state: 'waiting' })];
  assert.equal((await ask(server, '/healthz')).status, 503);
});
