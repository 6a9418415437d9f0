// createHandoff(), where the process may be a worker of a pool. Not public yet: the pool is not published.
import { createHandoff as createOwn } from '../handoff/create';
import type { Handoff } from '../handoff/handoff';
import { type HandoffOptions, readPlainOptions } from '../handoff/options';
import { isSupported } from '../native/binding';
import { claimPost } from './post';
import { beginWorker } from './worker-handoff';

/**
 * In a worker of a pool the first call joins that pool, whatever the name: its listeners are the primary's, and it is the pool that
 * decides when it is replaced. Further ones are handoffs of their own. Anywhere else it is the createHandoff() of 'fdpass'.
 *
 * Of such a handoff: `predecessor`, `receipt` and `state` are undefined, provideState() is never asked, `pidFile` is not written,
 * put() throws ERR_HANDOFF_WORKER. fail() gives the place back to the worker before. upgrade() and `restartOn` ask for a roll of the
 * pool; upgrade() resolves when this worker is replaced. A worker that nobody replaces, because the pool gets smaller or ends, is
 * 'superseded', too: the receipt has the primary's pid, and this worker's own generation.
 * @throws ERR_HANDOFF_HOLDER_GONE: the primary is gone; what createHandoff() throws
 */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
  if (!isSupported) return await createOwn(options);
  const settings = readPlainOptions(options);
  const appointment = claimPost();
  return appointment === undefined ? await createOwn(options) : await beginWorker(appointment, settings);
}
