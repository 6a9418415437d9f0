// lend(): the number behind anything of Node that has a descriptor, borrowed for one call.
import cluster from 'node:cluster';
import dgram from 'node:dgram';
import http from 'node:http';
import net from 'node:net';
import { FdpassError, invalidArgType } from '../base/errors';
import { unsupportedRuntime } from '../base/runtime';
import { validateFdNumber } from '../base/validate';
import { type Handle, handleOf, udpHandleOf } from './handle';

/** Something with a descriptor, lent and never consumed. { fd } covers Fd, fs.promises.FileHandle and fs streams. */
export type FdLike =
  | number
  | net.Server
  | net.Socket
  | dgram.Socket
  | { readonly fd: number | string | Buffer };

/**
 * @param index where it is in the argument `name`, if that is a list
 * @returns the number, valid until the owner closes it
 * @throws TypeError for something that has no descriptor; ERR_FDPASS_CLOSED for something closed;
 * ERR_FDPASS_UNSUPPORTED_RUNTIME for an object of net or dgram in Deno, of http in Bun
 */
export function lend(from: FdLike, name = 'from', index?: number): number {
  // The text is made for the error only: it costs more than the rest.
  if (typeof from === 'number')
    return isFdNumber(from) ? from : validateFdNumber(argument(name, index), from);
  if (from instanceof net.Server || from instanceof net.Socket) return numberOf(from, handleOf(from));
  if (from instanceof dgram.Socket) return numberOf(from, udpHandleOf(from));
  if (from !== null && typeof from === 'object' && 'fd' in from && typeof from.fd === 'number') {
    return openNumber(from, from.fd);
  }
  // No net.Server: Bun's.
  if ((from as unknown) instanceof http.Server) throw unsupportedRuntime('descriptor of an object');
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

function numberOf(from: object, handle: Handle | null | undefined): number {
  // A cluster worker has handles without a descriptor, too.
  if (handle && handle.fd === undefined && !cluster.isWorker)
    throw unsupportedRuntime('descriptor of an object');
  return openNumber(from, handle?.fd);
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
