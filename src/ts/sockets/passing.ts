// What the kernel may attach to what a socket receives: descriptors, credentials, pidfds. socket(7), unix(7)
import { hasCode } from '../base/errors';
import { binding } from '../native/binding';
import { POLL } from './constants';

/** What was asked for besides bytes. */
export interface Passing {
  maxFds: number;
  credentials: boolean;
  pidFd: boolean;
}

/** What a socket takes besides bytes. */
export interface ControlLimits extends Passing {
  /**
   * Nothing: the kernel refuses it, and none is queued. Who shares the socket can allow descriptors again; what is passed
   * then the kernel closes, and nobody is told.
   */
  bytesOnly: boolean;
}

/** Both ways, so that an adopted or accepted socket does not keep what its maker wanted. */
export function setPassing(fd: number, { maxFds, credentials, pidFd }: Passing): ControlLimits {
  const takesFds = maxFds > 0;
  const decides = passRights(fd, takesFds);
  binding.setPassCredentials(fd, credentials ? 1 : 0);
  if (pidFd) binding.setPassPidFd(fd, 1);
  else whereKnown(() => binding.setPassPidFd(fd, 0));
  // What was queued before may have descriptors all the same.
  const bytesOnly =
    decides && !takesFds && !credentials && !pidFd && (binding.poll(fd, POLL.IN) & POLL.IN) === 0;
  return { maxFds, credentials, pidFd, bytesOnly };
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
