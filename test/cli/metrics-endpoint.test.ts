// Where the metrics of `fdpass run` are: a predecessor keeps the place until it is superseded.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { MetricsEndpoint } from '#fdpass/cli/metrics-endpoint';
import type { MetricsPlace } from '#fdpass/cli/metrics-place';
import { workerStatus } from '../helpers/fake-pool';
import { freePort } from '../helpers/free-port';
import { ask } from '../helpers/run-pool';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

function endpointAt(t: test.TestContext, place: MetricsPlace, name: string): MetricsEndpoint {
  const endpoint = new MetricsEndpoint(place, () => ({
    name,
    pool: { balance: 'kernel', kind: 'processes', size: 1, listeners: [], workers: [workerStatus(1)] },
    rolls: { committed: 0, failed: 0, rolledback: 0 },
    primary: { pid: 1, generation: 1, rssBytes: 1, cpuMs: 1, ageMs: 1 },
  }));
  t.after(() => endpoint.close());
  return endpoint;
}

async function nameAt(place: MetricsPlace): Promise<string> {
  const at = 'path' in place ? { socketPath: place.path } : place;
  return JSON.parse(await ask({ ...at, path: '/metrics.json' })).name;
}

for (const what of ['a port', 'a path'] as const) {
  const placeOf = async (t: test.TestContext): Promise<MetricsPlace> =>
    what === 'a path'
      ? { path: path.join(tmpDir(t), 'metrics.sock') }
      : { port: await freePort(), host: '127.0.0.1' };

  test(`${what} that is taken ends a first start, and one that takes over has it when its predecessor leaves`, async (t) => {
    const place = await placeOf(t);
    const old = endpointAt(t, place, 'old');
    await old.open();
    await assert.rejects(endpointAt(t, place, 'first').open(), { code: 'EADDRINUSE' });
    const late: Error[] = [];
    endpointAt(t, place, 'new').openLater({ late: (error) => late.push(error), patienceMs: 0 });
    assert.equal(await nameAt(place), 'old', 'until it is superseded');
    old.close();
    await within('the new one', async () => {
      while ((await nameAt(place).catch(() => '')) !== 'new');
    });
    assert.deepEqual(late, []);
  });
}

test('a port that somebody else has is told once, and is tried for on', async (t) => {
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  const place = { port: (other.address() as net.AddressInfo).port, host: '127.0.0.1' };
  const endpoint = endpointAt(t, place, 'new');
  const late: Error[] = [];
  await within('it says so', async () => {
    await new Promise<void>((resolve) => {
      endpoint.openLater({
        late: (error) => {
          late.push(error);
          resolve();
        },
        patienceMs: 0,
      });
      endpoint.own();
    });
  });
  assert.match(late[0]?.message ?? '', /EADDRINUSE.* \(held by pid/);
  other.close();
  await within('its turn', async () => {
    while ((await nameAt(place).catch(() => '')) !== 'new');
  });
  assert.equal(late.length, 1);
});
