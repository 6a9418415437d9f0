// requireKind(): refuses a descriptor that is not what the caller is about to treat it as.
import { FdpassError } from '../base/errors';
import { explain, type FdInfo, type SocketType } from './describe';
import type { Fd } from './fd';

/** @throws ERR_FDPASS_WRONG_KIND that says what it is, ERR_FDPASS_CLOSED */
export function requireKind(fd: Fd, wanted: string, fits: (info: FdInfo) => boolean): void {
  const info = fd.describe();
  if (!fits(info)) {
    throw new FdpassError(
      'ERR_FDPASS_WRONG_KIND',
      `expected ${wanted}; descriptor ${fd.fd} is ${explain(info)}`,
    );
  }
}

/** An AF_UNIX socket of this type, listening or not. */
export function requireUnixSocket(fd: Fd, type: SocketType, listening: boolean): void {
  requireKind(
    fd,
    `${listening ? 'a listening' : 'an'} AF_UNIX ${type} socket`,
    (info) => info.family === 'unix' && info.type === type && info.listening === listening,
  );
}
