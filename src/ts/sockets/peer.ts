// Who is at the other end of a connection, as the kernel wrote it down when the connection was made. socket(7)
import { Fd } from '../fd/fd';
import { binding } from '../native/binding';

/** Identity of a process as the kernel vouches for it. Ids as this process's namespaces show them. */
export interface Credentials {
  pid: number;
  uid: number;
  gid: number;
}

/** Unsigned in the kernel: (uid_t)-1 must not show as -1. */
export function toCredentials(pid: number, uid: number, gid: number): Credentials {
  return { pid, uid: uid >>> 0, gid: gid >>> 0 };
}

/** SO_PEERCRED. @throws SystemError ENOTCONN */
export function peerCredentials(fd: number): Credentials {
  return toCredentials(...binding.peerCredentials(fd));
}

/** SO_PEERGROUPS. @throws SystemError ENODATA if not connected */
export function peerGroups(fd: number): number[] {
  return binding.peerGroups(fd).map((gid) => gid >>> 0);
}

/** SO_PEERPIDFD. @throws SystemError ENOPROTOOPT before Linux 6.5, ENODATA if not connected */
export function peerPidFd(fd: number): Fd {
  return Fd.own(binding.peerPidFd(fd));
}
