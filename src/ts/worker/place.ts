// Places to listen and to bind at, as a worker names them to its primary, and as the primary reads them. What is wrong with
// options is said in the worker, before the primary is asked.
import { DEFAULT_BACKLOG } from '../base/limits';
import { given } from '../base/options';
import { validateInteger } from '../base/validate';
import { type AddressLike, UnixAddress } from '../fd/address';
import { type DatagramOptions, datagramPlace, type UdpOptions, udpPlace } from '../handoff/datagram-place';
import { type ListenerOptions, type Place, streamPlace, validateListenerOptions } from '../handoff/endpoint';
import { placeOf as fileOf } from '../names/place';
import type { PlaceRequest, UnixPlace } from './messages';

type StreamRequest = PlaceRequest & { kind: 'stream' };

/** @throws TypeError, RangeError */
export function streamRequest(options: ListenerOptions): StreamRequest & { backlog: number } {
  validateListenerOptions(options);
  const { port, path, host, mode, ipv6Only, reusePort } = options;
  const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 1, 2 ** 31 - 1);
  if (path !== undefined) return { kind: 'stream', backlog, unix: unixPlace(path), ...given({ mode }) };
  validateInteger('options.port', port, 0, 65_535);
  return { kind: 'stream', backlog, ...given({ port, host, ipv6Only, reusePort }) };
}

/** @throws TypeError, RangeError */
export function udpRequest(options: UdpOptions): PlaceRequest {
  udpPlace(options);
  const { type = 'udp4', port, address, reusePort, ipv6Only } = options;
  return { kind: 'udp', type, port, ...given({ address, reusePort, ipv6Only }) };
}

/** @throws TypeError, RangeError */
export function datagramRequest(address: AddressLike, options: DatagramOptions): PlaceRequest {
  datagramPlace(UnixAddress.from(address), options);
  return { kind: 'datagram', unix: unixPlace(address), ...given({ mode: options.mode }) };
}

/** Absolute: the primary may be in another directory. */
export function unixPlace(like: AddressLike): UnixPlace {
  const given = UnixAddress.from(like);
  const address = given.kind === 'path' ? UnixAddress.path(fileOf(given).path) : given;
  return { kind: address.kind, bytes: address.bytes.toString('base64') };
}

/**
 * Checks everything: a worker may be of another release, or say nonsense. Looks a host name up.
 * @throws TypeError, RangeError, SystemError ENOTFOUND
 */
export async function placeOf(request: PlaceRequest): Promise<Place> {
  switch (request.kind) {
    case 'stream': {
      const { kind: _, unix, ...options } = request;
      return await streamPlace(unix === undefined ? options : { ...options, path: readUnix(unix) });
    }
    case 'udp': {
      const { kind: _, ...options } = request;
      return udpPlace(options);
    }
    case 'datagram': {
      const { kind: _, unix, ...options } = request;
      return datagramPlace(readUnix(unix), options);
    }
  }
}

function readUnix({ kind, bytes }: UnixPlace): UnixAddress {
  if (kind === 'unnamed') return UnixAddress.unnamed;
  const name = Buffer.from(bytes, 'base64');
  return kind === 'path' ? UnixAddress.path(name) : UnixAddress.abstract(name);
}
