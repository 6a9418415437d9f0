// Which worker gets a connection: by load, and by the hash of a key.
import assert from 'node:assert/strict';
import test from 'node:test';
import fc from 'fast-check';
import { hashOf, highestHash, leastLoaded } from '#fdpass/pool/balance/choose';

function board(workers: number[], loads = workers.map(() => 0)) {
  return { workers, loads, full: workers.map(() => false) };
}

test('the least loaded worker gets it, equals in turn, and a full one nothing', () => {
  const choose = leastLoaded();
  const equal = board([1, 2, 3]);
  assert.deepEqual(
    [0, 0, 0, 0].map(() => choose(equal, 0)),
    [0, 1, 2, 0],
  );
  const some = board([1, 2, 3], [5, 3, 4]);
  assert.equal(choose(some, 0), 1);
  some.full[1] = true;
  assert.equal(choose(some, 0), 2);
  some.full.fill(true);
  assert.equal(choose(some, 0), -1);
  assert.equal(choose(board([]), 0), -1);
});

test('whatever the loads were, enough connections make them equal', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(50), { minLength: 1, maxLength: 9 }), (loads) => {
      const choose = leastLoaded();
      const some = board([...loads.keys()], [...loads]);
      for (let i = 0; i < 50 * loads.length; i++) (some.loads[choose(some, 0)] as number)++;
      assert.ok(Math.max(...some.loads) - Math.min(...some.loads) <= 1);
    }),
  );
});

const KEYS = Array.from({ length: 10_000 }, (_, i) => hashOf(`10.0.${i >> 8}.${i & 255}`));

test('keys are spread evenly over any number of workers', () => {
  for (const count of [2, 3, 8, 16]) {
    const workers = Array.from({ length: count }, (_, i) => i + 1);
    const counts = new Array<number>(count).fill(0);
    for (const key of KEYS) (counts[highestHash(board(workers), key)] as number)++;
    const even = KEYS.length / count;
    // Five standard deviations of chance: these keys are always the same.
    for (const got of counts) assert.ok(Math.abs(got - even) < 5 * Math.sqrt(even), `${counts}`);
  }
});

test('a worker that comes or goes moves the keys of its own and no others, wherever it stands', () => {
  const four = board([1, 2, 3, 4]);
  const three = board([4, 1, 3]);
  let moved = 0;
  for (const key of KEYS) {
    const before = four.workers[highestHash(four, key)];
    const after = three.workers[highestHash(three, key)];
    if (before === 2) moved++;
    else assert.equal(after, before);
  }
  assert.ok(Math.abs(moved - KEYS.length / 4) < KEYS.length / 40);
  four.full[1] = true; // as if it were gone
  for (const key of KEYS)
    assert.equal(four.workers[highestHash(four, key)], three.workers[highestHash(three, key)]);
});

test('hashes are those of every other release: a new primary sends clients where the old one did', () => {
  assert.deepEqual(
    ['', '127.0.0.1', '::1'].map((key) => hashOf(key).toString(16)),
    ['ab3e7c0b', '8db964bf', 'f003d2d6'],
  );
});
