// lend(): the number behind anything of Node that has a descriptor, borrowed for one call.
import dgram from 'node:dgram';
import net from 'node:net';
import { FdpassError, invalidArgType } from '../base/errors';
import { validateFdNumber } from '../base/validate';

/** Something with a descriptor, lent and never consumed. { fd } covers Fd, fs.promises.FileHandle and fs streams. */
export type FdLike =
  | number
  | net.Server
  | net.Socket
  | dgram.Socket
  | { readonly fd: number | string | Buffer };

interface WithHandle {
  _handle?: { fd?: number } | null;
}

/**
 * @param index where it is in the argument `name`, if that is a list
 * @returns the number, valid until the owner closes it
 * @throws TypeError for something that has no descriptor, ERR_FDPASS_CLOSED for something closed
 */
export function lend(from: FdLike, name = 'from', index?: number): number {
  // The text is made for the error only: it costs more than the rest.
  if (typeof from === 'number')
    return isFdNumber(from) ? from : validateFdNumber(argument(name, index), from);
  if (from instanceof net.Server || from instanceof net.Socket) {
    return openNumber(from, (from as WithHandle)._handle?.fd);
  }
  if (from instanceof dgram.Socket) return openNumber(from, udpHandle(from)?.fd);
  if (from !== null && typeof from === 'object' && 'fd' in from && typeof from.fd === 'number') {
    return openNumber(from, from.fd);
  }
  throw invalidArgType(
    argument(name, index),
    'an Fd, a net.Server, a net.Socket, a dgram.Socket, a FileHandle or an open descriptor number',
    from,
  );
}

function isFdNumber(number: number): boolean {
  return (number | 0) === number && number >= 0;
}

function argument(name: string, index: number | undefined): string {
  return index === undefined ? name : `${name}[${index}]`;
}

function openNumber(from: object, fd: number | undefined): number {
  if (fd === undefined || fd < 0) {
    throw new FdpassError(
      'ERR_FDPASS_CLOSED',
      `this ${from.constructor.name} has no open descriptor: it is closed, not yet listening or connected, or (in a cluster worker) its listener lives in the primary`,
    );
  }
  return validateFdNumber('from.fd', fd);
}

// dgram keeps its handle in an object under a private symbol; Node 26 removed the deprecated _handle.
function udpHandle(socket: dgram.Socket): { fd?: number } | null | undefined {
  const symbol = Object.getOwnPropertySymbols(socket).find((one) => one.description === 'state symbol');
  if (symbol === undefined) return undefined;
  return (socket as unknown as Record<symbol, { handle?: { fd?: number } | null }>)[symbol]?.handle;
}
