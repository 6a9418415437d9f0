// What a call that should fail failed with, without a matcher for each field.
import assert from 'node:assert/strict';
import type { SystemError } from 'fdpass';

/** The error of a promise or of a function that throws; it is a failure if there is none. */
export async function failureOf(action: Promise<unknown> | (() => unknown)): Promise<SystemError> {
  try {
    await (typeof action === 'function' ? action() : action);
  } catch (error) {
    assert.ok(error instanceof Error, `an Error was expected, not ${String(error)}`);
    return error as SystemError;
  }
  assert.fail('it did not fail');
}

/** The four fields of node:net that a failed system call shows. */
export function systemFields(error: SystemError): Record<string, unknown> {
  const { code, errno, syscall, address, message } = error;
  return { code, errno, syscall, address, message };
}
