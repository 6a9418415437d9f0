// Several small messages in one call of the addon: their bytes lie one behind the other there.
import { MAX_BATCH } from '../base/limits';
import type { UnixAddress } from '../fd/address';
import { binding } from '../native/binding';

/** What messages that are sent together may have together. To copy larger ones takes longer than a system call for each. */
export const PACKED_BYTES = 64 * 1024;

// In use only while a call lasts, so all sockets of a thread share them.
let packed: Uint8Array | undefined;
const sizes = new Uint32Array(MAX_BATCH);

/**
 * @param batch up to MAX_BATCH messages, which have PACKED_BYTES together at most
 * @returns how many of them went, or below zero an errno. sendmmsg(2)
 */
export function sendPacked(fd: number, batch: readonly Uint8Array[], to: UnixAddress | undefined): number {
  packed ??= new Uint8Array(PACKED_BYTES);
  let end = 0;
  for (let index = 0; index < batch.length; index++) {
    const bytes = batch[index] as Uint8Array;
    packed.set(bytes, end);
    sizes[index] = bytes.length;
    end += bytes.length;
  }
  return binding.sendBatch(fd, packed, sizes, batch.length, to?.sunPath);
}
