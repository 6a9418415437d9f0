// requireKind(): refuses a descriptor that is not what the caller is about to treat it as.
import { FdpassError, invalidArgType } from '../base/errors';
import { explain, type FdInfo, type SocketType } from './describe';
import { Fd } from './fd';

/** A number has no owner: whoever means to give one away says so with Fd.adopt(). */
export function requireFd(fd: unknown): asserts fd is Fd {
  if (!(fd instanceof Fd)) throw invalidArgType('fd', 'an Fd (make one of a number with Fd.adopt())', fd);
}

/** @throws ERR_FDPASS_WRONG_KIND that says what it is, ERR_FDPASS_CLOSED */
export function requireKind(fd: Fd, wanted: string, fits: (info: FdInfo) => boolean): void {
  requireFd(fd);
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
