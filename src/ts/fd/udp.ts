// bindDuplicate(): a dgram.Socket on a descriptor that stays its owner's.
import type dgram from 'node:dgram';
import { hasCode } from '../base/errors';
import { unsupportedRuntime } from '../base/runtime';
import { Fd } from './fd';

/**
 * Binds `socket` to a duplicate of `fd`, a UDP socket, which is lent.
 * @throws ERR_FDPASS_UNSUPPORTED_RUNTIME; SystemError EMFILE; what Node throws for a socket that is bound
 */
export function bindDuplicate(socket: dgram.Socket, fd: Fd): void {
  using duplicate = Fd.dup(fd);
  try {
    // exclusive: else a cluster worker would look for the number in the primary.
    socket.bind({ fd: duplicate.fd, exclusive: true });
  } catch (error) {
    // The kernel has said that it is UDP.
    if (hasCode(error, 'ERR_INVALID_FD_TYPE')) throw unsupportedRuntime('dgram on a descriptor', error);
    throw error;
  }
  duplicate.detach(); // Node's own from here
}
