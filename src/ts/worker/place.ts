// Places to listen and to bind at, as a worker names them to its primary, and as the primary reads them.
import { type AddressLike, UnixAddress } from '../fd/address';
import { type DatagramOptions, datagramPlace, type UdpOptions, udpPlace } from '../handoff/datagram-place';
import { type ListenerOptions, type Place, streamPlace } from '../handoff/endpoint';
import type { PlaceRequest, UnixPlace } from './messages';

/** `drain` stays with the worker. */
export function askForStream({ path, drain: _, ...options }: ListenerOptions): PlaceRequest {
  if (path === undefined) return { kind: 'stream', ...options };
  return { kind: 'stream', ...options, unix: nameUnix(path) };
}

export function askForUdp({ type = 'udp4', ...options }: UdpOptions): PlaceRequest {
  return { kind: 'udp', type, ...options };
}

/** The options of the socket itself stay with the worker. */
export function askForDatagram(address: AddressLike, { mode }: DatagramOptions): PlaceRequest {
  return { kind: 'datagram', unix: nameUnix(address), ...(mode === undefined ? {} : { mode }) };
}

function nameUnix(address: AddressLike): UnixPlace {
  const { kind, bytes } = UnixAddress.from(address);
  return { kind, bytes: bytes.toString('base64') };
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
