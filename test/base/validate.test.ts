// Argument checks: what passes, and the text for what does not.
import assert from 'node:assert/strict';
import test from 'node:test';
import { toBytes, validateFdNumber, validateInteger, validateObject } from '#fdpass/base/validate';

test('an integer inside the bounds is returned', () => {
  assert.equal(validateInteger('n', 0, 0, 5), 0);
  assert.equal(validateInteger('n', 5, 0, 5), 5);
});

test('another number is out of range, anything else is the wrong type', () => {
  for (const value of [-1, 6, 1.5, Number.NaN, Number.POSITIVE_INFINITY]) {
    assert.throws(() => validateInteger('n', value, 0, 5), {
      name: 'RangeError',
      message: `n must be an integer from 0 to 5; it is ${value}`,
    });
  }
  for (const value of ['1', null, undefined, 1n, {}]) {
    assert.throws(() => validateInteger('n', value, 0, 5), { name: 'TypeError' });
  }
});

test('a descriptor number is what an int of the kernel holds', () => {
  assert.equal(validateFdNumber('fd', 0), 0);
  assert.equal(validateFdNumber('fd', 2 ** 31 - 1), 2 ** 31 - 1);
  for (const fd of [-1, 2 ** 31, 0.5]) assert.throws(() => validateFdNumber('fd', fd), RangeError);
});

test('null and primitives are no options', () => {
  for (const value of [null, undefined, 5, 'text']) {
    assert.throws(() => validateObject('options', value), { code: 'ERR_INVALID_ARG_TYPE' });
  }
});

test('bytes are taken from strings and every view, without a copy of a view', () => {
  assert.deepEqual(toBytes('data', 'é'), Buffer.from([0xc3, 0xa9]));
  const bytes = new Uint8Array([1, 2, 3, 4]);
  assert.equal(toBytes('data', bytes), bytes);
  const view = new DataView(bytes.buffer, 1, 2);
  assert.deepEqual([...toBytes('data', view)], [2, 3]);
  assert.equal(toBytes('data', view).buffer, bytes.buffer);
});

test('what has no bytes is refused', () => {
  for (const data of [5, null, undefined, {}, [1, 2], new ArrayBuffer(2)]) {
    assert.throws(() => toBytes('data', data as string), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /^data must be/,
    });
  }
});
