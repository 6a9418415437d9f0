// Fifo: order, whatever is appended and taken in between, and nothing of the caller's is changed while it waits.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Fifo } from '#fdpass/sockets/fifo';

test('what is appended comes out in order, once, with anything in between', () => {
  const fifo = new Fifo<number>();
  const expected: number[] = [];
  let next = 0;
  for (let round = 0; round < 500; round++) {
    const items = Array.from({ length: (round * 7) % 5 }, () => next++);
    expected.push(...items);
    fifo.append(items);
    for (let taken = 0; taken < (round * 3) % 4; taken++) assert.equal(fifo.shift(), expected.shift());
    assert.equal(fifo.length, expected.length);
  }
  assert.deepEqual(fifo.clear(), expected);
  assert.equal(fifo.length, 0);
  assert.equal(fifo.shift(), undefined);
});

test('two of them share nothing', () => {
  const one = new Fifo<string>();
  const other = new Fifo<string>();
  one.append([]);
  one.append(['a']);
  one.append(['b']);
  assert.equal(other.length, 0);
  assert.deepEqual([one.shift(), one.shift(), one.shift()], ['a', 'b', undefined]);
});
