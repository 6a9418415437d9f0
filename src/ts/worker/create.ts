// createHandoff(), where the process may be a worker of a pool. Not public yet: the pool is not published.
import { createHandoff as createOwn } from '../handoff/create';
import type { Handoff } from '../handoff/handoff';
import { type HandoffOptions, readPlainOptions } from '../handoff/options';
import { isSupported } from '../native/binding';
import { takeLink } from './primary';
import { joinPool } from './worker-handoff';

/**
 * In a worker of a pool the first call joins that pool, whatever the name: its listeners are the primary's. Anywhere else it
 * is the createHandoff() of 'fdpass'.
 * @throws ERR_HANDOFF_HOLDER_GONE: the primary is gone; what createHandoff() throws
 */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
  const link = isSupported ? takeLink() : undefined;
  return link === undefined ? await createOwn(options) : await joinPool(readPlainOptions(options), link);
}
