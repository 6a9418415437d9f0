// What the kernel may attach to what a socket receives: descriptors, credentials, pidfds. socket(7), unix(7)
import { hasCode } from '../base/errors';
import { binding } from '../native/binding';
import { POLL } from './constants';
import type { Passing } from './message';

/**
 * Both ways, so that an adopted or accepted socket does not keep what its maker wanted.
 * @returns whether nothing but bytes can come: what was queued before may have descriptors all the same. Who shares the socket can allow
 * them again; what is passed then the kernel closes, and nobody is told.
 */
export function setPassing(fd: number, wanted: Passing): boolean {
  const takesFds = wanted.maxFds > 0;
  const decides = passRights(fd, takesFds);
  binding.setPassCredentials(fd, wanted.credentials ? 1 : 0);
  if (wanted.pidFd) binding.setPassPidFd(fd, 1);
  else whereKnown(() => binding.setPassPidFd(fd, 0));
  if (!decides || takesFds || wanted.credentials || wanted.pidFd) return false;
  return (binding.poll(fd, POLL.IN) & POLL.IN) === 0;
}

/**
 * Whether descriptors may be sent here: if not, the sender gets EPERM. SO_PASSRIGHTS, Linux 6.16
 * @returns false where the kernel does not know of it: they may be sent
 */
export function passRights(fd: number, allowed: boolean): boolean {
  return whereKnown(() => binding.setPassRights(fd, allowed ? 1 : 0));
}

function whereKnown(set: () => void): boolean {
  try {
    set();
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOPROTOOPT')) return false;
    throw error;
  }
}
