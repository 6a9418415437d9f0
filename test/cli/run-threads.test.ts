// `fdpass run --threads`: the same program, in worker threads of the supervisor.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { httpClient, Load } from '../helpers/clients';
import { freePort } from '../helpers/free-port';
import { ask, type Run, startRun } from '../helpers/run-pool';

const server = path.join(__dirname, '../fixtures/thread-server.js');

async function serve(t: test.TestContext, instances: number): Promise<{ run: Run; port: number }> {
  const port = await freePort();
  const run = startRun(t, {
    options: ['-i', `${instances}`, '--threads'],
    program: [process.execPath, server, 'given'],
    env: { PORT: String(port) },
  });
  await run.says(instances === 1 ? '1 worker serves\n' : `${instances} workers serve\n`);
  return { run, port };
}

async function stop(run: Run): Promise<void> {
  run.process.kill('SIGTERM');
  const { code, signal, stderr } = await run.end();
  assert.deepEqual([code, signal], [0, null], stderr);
}

test('threads are rolled under load, no request fails, and SIGTERM ends them', async (t) => {
  const { run, port } = await serve(t, 2);
  const clients = Array.from({ length: 8 }, (_, i) => httpClient({ port }, { keepAlive: i % 2 === 0 }));
  const load = new Load(clients);
  for (const thread of [1, 2]) await load.served(thread);
  run.process.kill('SIGHUP');
  await run.says('2 workers were replaced in ');
  for (const thread of [3, 4]) await load.served(thread);
  const { failures, byPid } = await load.stop();
  assert.deepEqual(failures, []);
  assert.deepEqual([...byPid.keys()].sort(), [1, 2, 3, 4]);
  await stop(run);
  assert.match((await run.ended).stdout, /^shop\/2\.2 \| thread \d, arguments given$/m);
});

for (const [url, reason] of [
  ['/throw', 'out of luck'],
  ['/exit', 'exit code 5'],
] as const) {
  test(`a thread that ends by ${url} takes nobody along, and is started again`, async (t) => {
    const { run, port } = await serve(t, 1);
    assert.equal(await ask({ port }), '1');
    await assert.rejects(ask({ port, path: url }), { code: 'ECONNRESET' });
    await run.says(`${reason}; again in 100 ms\n`);
    assert.equal(await ask({ port }), '2', 'it waits in the queue meanwhile');
    await stop(run);
  });
}
