// onCancel(): one cancellation, nothing left behind.
import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { onCancel, validateWaitOptions } from '#fdpass/base/abort';

test('an abort calls back once, with the reason as cause, and leaves no listener', () => {
  const controller = new AbortController();
  const errors: Error[] = [];
  onCancel({ signal: controller.signal, timeout: 60_000 }, 'it', (error) => errors.push(error));
  controller.abort('enough');
  assert.equal(errors.length, 1);
  assert.equal(errors[0]?.name, 'AbortError');
  assert.equal((errors[0] as NodeJS.ErrnoException).code, 'ABORT_ERR');
  assert.equal(errors[0]?.cause, 'enough');
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('a deadline calls back once and names what did not finish', async () => {
  const { signal } = new AbortController();
  const error = await new Promise<Error>((resolve) => onCancel({ signal, timeout: 1 }, 'the thing', resolve));
  assert.equal((error as NodeJS.ErrnoException).code, 'ERR_FDPASS_TIMEOUT');
  assert.match(error.message, /^the thing did not finish within 1 ms$/);
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('a stopped watch hears neither the abort nor the deadline', () => {
  const controller = new AbortController();
  const stop = onCancel({ signal: controller.signal, timeout: 60_000 }, 'it', () => assert.fail('called'));
  stop();
  controller.abort();
  assert.equal(getEventListeners(controller.signal, 'abort').length, 0);
});

test('an aborted signal throws at once', () => {
  assert.throws(() => onCancel({ signal: AbortSignal.abort() }, 'it', () => {}), { name: 'AbortError' });
  assert.throws(() => validateWaitOptions({ signal: AbortSignal.abort() }), { name: 'AbortError' });
});

test('a deadline that is no positive integer is refused, and no listener stays', () => {
  const { signal } = new AbortController();
  for (const timeout of [0, -1, 1.5, Number.NaN, 2 ** 31, Number.POSITIVE_INFINITY]) {
    const options = { signal, timeout };
    assert.throws(() => onCancel(options, 'it', () => {}), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => validateWaitOptions(options), { code: 'ERR_OUT_OF_RANGE' });
  }
  assert.throws(() => validateWaitOptions({ timeout: '5' as unknown as number }), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
  assert.equal(getEventListeners(signal, 'abort').length, 0);
});

test('a signal that is none is refused', () => {
  assert.throws(() => validateWaitOptions({ signal: {} as AbortSignal }), {
    code: 'ERR_INVALID_ARG_TYPE',
    message: /^options\.signal must be an AbortSignal; it is a plain object$/,
  });
});

test('one signal ends many waits, and Node sees no leak in that', async (t) => {
  const warnings: Error[] = [];
  const keep = (warning: Error): void => void warnings.push(warning);
  process.on('warning', keep);
  t.after(() => process.off('warning', keep));
  const controller = new AbortController();
  const stops = Array.from({ length: 40 }, () => onCancel({ signal: controller.signal }, 'it', () => {}));
  await nextTurn();
  for (const stop of stops) stop();
  assert.deepEqual(warnings, []);
});
