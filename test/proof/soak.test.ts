// The short form of `npm run soak`.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { start } from '../helpers/child';

const program = path.join(__dirname, '../../proof/soak.js');

test('ten restarts leave no descriptor and no process behind', async (t) => {
  const { stdout, stderr, code } = await start(t, process.execPath, [program, '--json', '--restarts', '10'])
    .ended;
  assert.notEqual(stdout, '', stderr);
  const { ok, grown, samples } = JSON.parse(stdout) as {
    ok: boolean;
    grown: string[];
    samples: { descriptors: number; processes: number }[];
  };
  assert.deepEqual([ok, code, grown], [true, 0, []]);
  assert.equal(samples.length, 10);
  assert.deepEqual([...new Set(samples.map(({ processes }) => processes))], [1]);
});
