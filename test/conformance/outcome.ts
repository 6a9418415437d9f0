// What a call failed with: the code of its error is what the rows speak of.
import assert from 'node:assert/strict';

/** Checks that it fails with this code, such as 'EPIPE'. */
export function fails(expected: string, call: () => unknown): void {
  assert.equal(codeOf(call), expected);
}

/** Checks that it rejects with this code. */
export async function rejects(expected: string, promise: Promise<unknown>): Promise<void> {
  let failed = 'success';
  try {
    await promise;
  } catch (error) {
    failed = codeIn(error);
  }
  assert.equal(failed, expected);
}

/** 'EPIPE', 'ERR_OUT_OF_RANGE', or 'success'. */
export function codeOf(call: () => unknown): string {
  try {
    call();
    return 'success';
  } catch (error) {
    return codeIn(error);
  }
}

function codeIn(error: unknown): string {
  const { code } = error as { code?: unknown };
  if (typeof code !== 'string') throw error; // a failure of the test, not of the call
  return code;
}

/** libuv's name for EOPNOTSUPP: both are 95 on Linux. */
export const EOPNOTSUPP = 'ENOTSUP';
