// createHandoff(): the kind of handoff that this platform can have.
import { isSupported } from '../native/binding';
import { Handoff } from './handoff';
import { type HandoffOptions, readOptions } from './options';
import { createPlainHandoff } from './plain-handoff';

/**
 * Finds out whether a process of that name serves already. If so its listeners are inherited; it serves on
 * until ready(). If not, this process is the first one. Other systems than Linux: it listens, and nothing is handed over.
 * @throws ERR_HANDOFF_BUSY (with pid, ageMs, state: another upgrade is in progress), ERR_HANDOFF_UNTRUSTED_PEER,
 * ERR_HANDOFF_REFUSED (we are not on its list), ERR_HANDOFF_UNSAFE_DIRECTORY, ERR_HANDOFF_VERSION, ERR_HANDOFF_BAD_STATE,
 * ERR_HANDOFF_TIMEOUT, ERR_HANDOFF_PROTOCOL, SystemError
 */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
  if (!isSupported) return createPlainHandoff(options);
  return await Handoff.begin(readOptions(options));
}
