// createHandoff(): of a worker, where the process is one of a pool; else its own.
import { createHandoff as createOwn } from '../handoff/create';
import type { Handoff } from '../handoff/handoff';
import { type HandoffOptions, readPlainOptions } from '../handoff/options';
import { stateError } from '../handoff/state-error';
import { isSupported } from '../native/binding';
import { claimant, claimPost } from './post';
import { beginWorker } from './worker-handoff';

/**
 * Finds out whether a process of that name serves already. If so its listeners are inherited; it serves on until ready().
 * If not, this process is the first one. Other systems than Linux: it listens, and nothing is handed over.
 *
 * In a worker of a pool the first call joins that pool, whatever the name: its listeners are the primary's, and it is the pool that
 * decides when it is replaced. Further ones are handoffs of their own. Of such a handoff: `predecessor`, `receipt` and `state` are undefined, provideState() is never asked, `pidFile` is not written,
 * put() throws ERR_HANDOFF_WORKER. fail() gives the place back to the worker before. upgrade() and `restartOn` ask for a roll of the
 * pool; upgrade() resolves when this worker is replaced. A worker that nobody replaces, because the pool gets smaller or ends, is
 * 'superseded', too: the receipt has the primary's pid, and this worker's own generation.
 * @throws ERR_HANDOFF_BUSY (with pid, ageMs, state: another upgrade is in progress), ERR_HANDOFF_UNTRUSTED_PEER,
 * ERR_HANDOFF_REFUSED (we are not on its list), ERR_HANDOFF_UNSAFE_DIRECTORY, ERR_HANDOFF_VERSION, ERR_HANDOFF_BAD_STATE,
 * ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL, ERR_HANDOFF_HOLDER_GONE: the primary of the pool is gone; ERR_HANDOFF_STATE: under
 * `fdpass run` a server of this process has called its own listen() before; SystemError
 */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
  if (!isSupported) return await createOwn(options);
  const settings = readPlainOptions(options);
  // A handoff of its own would bind for itself what the pool is to hold, and each worker would replace the one before.
  if (claimant() === 'register') throw stateError(TOO_LATE);
  const appointment = claimPost('handoff');
  return appointment === undefined ? await createOwn(options) : await beginWorker(appointment, settings);
}

const TOO_LATE =
  "this worker has joined its pool by the listen() of a server, or process.send('ready'), already; call createHandoff() before " +
  'those, and handoff.listen() instead of them; or leave it out: fdpass run needs no handoff';
