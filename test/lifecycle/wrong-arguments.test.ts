// The addon is called with what no caller of ours gives. JS of a worker thread that is being terminated may: see
// worker-storm.test.ts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { binding } from '#fdpass/native/binding';
import { settledFdCount } from '../helpers/fd-count';

const WITHOUT_ARGUMENTS = new Set(['usePollThread', 'peekEndedChild']);

const wrong: unknown[] = [undefined, null, {}, () => {}, Symbol('no')];

for (const [name, call] of Object.entries(
  binding as unknown as Record<string, (...given: unknown[]) => unknown>,
)) {
  if (WITHOUT_ARGUMENTS.has(name)) continue;
  test(`${name}() throws a TypeError for arguments of no use`, async () => {
    const before = await settledFdCount();
    for (const value of wrong) {
      const first = value === undefined ? [] : [value];
      assert.throws(() => call(...first), { name: 'TypeError', code: 'ERR_INVALID_ARG_TYPE' }, String(value));
      assert.throws(() => call(...first, value, value, value, value, value, value), { name: 'TypeError' });
    }
    assert.equal(await settledFdCount(), before);
  });
}
