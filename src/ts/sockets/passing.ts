// What the kernel may attach to what a socket receives: descriptors, credentials, pidfds. socket(7), unix(7)
import { hasCode } from '../base/errors';
import { binding } from '../native/binding';
import type { ControlLimits } from './message';

/** Both ways, so that an adopted or accepted socket does not keep what its maker wanted. */
export function setPassing(fd: number, wanted: ControlLimits): void {
  passRights(fd, wanted.maxFds > 0);
  binding.setPassCredentials(fd, wanted.credentials ? 1 : 0);
  if (wanted.pidFd) binding.setPassPidFd(fd, 1);
  else whereKnown(() => binding.setPassPidFd(fd, 0));
}

/** Whether descriptors may be sent here: if not, the sender gets EPERM. SO_PASSRIGHTS, Linux 6.16; unknown before. */
export function passRights(fd: number, allowed: boolean): void {
  whereKnown(() => binding.setPassRights(fd, allowed ? 1 : 0));
}

function whereKnown(set: () => void): void {
  try {
    set();
  } catch (error) {
    if (!hasCode(error, 'ENOPROTOOPT')) throw error;
  }
}
