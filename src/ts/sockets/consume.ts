// consume(): what adopt() does with the Fd that it was given.
import { Fd } from '../fd/fd';

/** `open` owns its Fd once it has returned. `fd` is consumed then, and stays the caller's if this throws. */
export function consume<S>(fd: Fd, open: (own: Fd) => S): S {
  const own = Fd.dup(fd);
  try {
    const socket = open(own);
    fd.close();
    return socket;
  } catch (error) {
    own.close();
    throw error;
  }
}
