// createHandoff(): the kind of handoff that this process can have.
import { Handoff } from '../handoff/handoff';
import { type HandoffOptions, readOptions, readPlainOptions } from '../handoff/options';
import { createPlainHandoff } from '../handoff/plain-handoff';
import { isSupported } from '../native/binding';
import { claimPost } from './post';
import { beginWorker } from './worker-handoff';

/**
 * Finds out whether a process of that name serves already. If so its listeners are inherited; it serves on
 * until ready(). If not, this process is the first one. Other systems than Linux: it listens, and nothing is handed over.
 *
 * In a worker of a pool the first call, whatever its name, makes this process take its listeners from the pool's primary,
 * and everything else of its handoff is that of the pool; further ones are handoffs of their own.
 * @throws ERR_HANDOFF_BUSY (with pid, ageMs, state: another upgrade is in progress), ERR_HANDOFF_UNTRUSTED_PEER,
 * ERR_HANDOFF_REFUSED (we are not on its list), ERR_HANDOFF_UNSAFE_DIRECTORY, ERR_HANDOFF_VERSION, ERR_HANDOFF_BAD_STATE,
 * ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL, SystemError; in a worker ERR_HANDOFF_ABORTED: the primary is gone
 */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
  if (!isSupported) return createPlainHandoff(options);
  const plain = readPlainOptions(options);
  const appointment = claimPost();
  if (appointment !== undefined) return await beginWorker(appointment, plain);
  return await Handoff.begin(readOptions(options));
}
