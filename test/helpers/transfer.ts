// Giving memory away to another thread, where that is not wanted.
import assert from 'node:assert/strict';

/** Node refuses it, or gives a copy away (20). */
export function tryToTransferAway(data: Buffer): void {
  try {
    structuredClone(data.buffer, { transfer: [data.buffer as ArrayBuffer] });
  } catch (error) {
    assert.ok(error instanceof Error && ['DataCloneError', 'TypeError'].includes(error.name));
  }
}
