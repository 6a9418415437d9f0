// A worker whose output nobody reads any more.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import test from 'node:test';
import { ask } from '../helpers/run-pool';
import { FakePrimary, type Worker, type WorkerSpec } from './fake-primary';

const REGISTER = require.resolve('#fdpass/register');
const PRINTING: WorkerSpec = { fixture: 'printing-worker', nodeArgs: ['--require', REGISTER] };

async function serving(primary: FakePrimary, spec: WorkerSpec): Promise<{ worker: Worker; port: number }> {
  const worker = primary.start(spec);
  await worker.hears('ready');
  return { worker, port: primary.port('tcp:127.0.0.1:0/1') };
}

test('a worker serves on when its output has nobody to read it, before it knows that its primary is gone', async (t) => {
  const { worker, port } = await serving(new FakePrimary(t), PRINTING);
  const { pid, stdout, stderr } = worker.child.process;
  stdout?.destroy();
  stderr?.destroy();
  await ask({ port }); // the error of this one may come behind its answer
  for (const _ of [1, 2]) {
    const answer = JSON.parse(await ask({ port })) as { pid: number; errors: number };
    assert.equal(answer.pid, pid);
    assert.ok(answer.errors > 0, 'the program hears of it, too');
  }
  worker.hangUp();
  assert.equal(JSON.parse(await ask({ port })).pid, pid);
});

test('a file that is full is told to the program as without a pool', async (t) => {
  const full = openSync('/dev/full', 'w');
  t.after(() => closeSync(full));
  const { worker, port } = await serving(new FakePrimary(t), { ...PRINTING, stderr: full });
  await assert.rejects(ask({ port }));
  assert.notEqual((await worker.child.ended).code, 0);
});
