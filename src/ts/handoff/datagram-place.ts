// Where a datagram socket is to be bound: UDP, and AF_UNIX.
import { isIP, isIPv6 } from 'node:net';
import { invalidArgType, withAddress } from '../base/errors';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';
import { UnixAddress } from '../fd/address';
import { type FdInfo, printEndpoint, SOCK_DGRAM } from '../fd/describe';
import { Fd } from '../fd/fd';
import { explainPort } from '../names/address-in-use';
import { type BindOptions, bindUnix } from '../names/bind-path';
import { binding } from '../native/binding';
import { SOCKET_OPTIONS, type SocketOptions } from '../sockets/message';
import type { Place } from './endpoint';

/** Those of dgram.createSocket() and bind(). */
export interface UdpOptions {
  /** Default 'udp4'. */
  type?: 'udp4' | 'udp6';
  /** 0: one that the kernel picks; a successor takes whatever was picked. */
  port: number;
  /** Numeric. Default: every address of the type. */
  address?: string;
  /** SO_REUSEPORT: other sockets may share the port. */
  reusePort?: boolean;
  ipv6Only?: boolean;
}

const UDP_OPTIONS: KnownNames<UdpOptions> = {
  type: true,
  port: true,
  address: true,
  reusePort: true,
  ipv6Only: true,
};

export function udpPlace(options: UdpOptions): Place {
  validateOptions('options', options, UDP_OPTIONS);
  const { type = 'udp4', reusePort = false, ipv6Only = false } = options;
  if (type !== 'udp4' && type !== 'udp6') throw invalidArgType('options.type', "'udp4' or 'udp6'", type);
  const port = validateInteger('options.port', options.port, 0, 65_535);
  const address = options.address ?? (type === 'udp6' ? '::' : '0.0.0.0');
  if (isIP(address) !== (type === 'udp6' ? 6 : 4))
    throw invalidArgType('options.address', `a numeric address of ${type}`, address);
  return {
    matches({ type: socketType, local }: FdInfo): boolean {
      if (socketType !== 'dgram' || local === undefined || local instanceof UnixAddress) return false;
      return local.address === address && (port === 0 || port === local.port);
    },
    bind() {
      try {
        const fd = Fd.own(binding.bindUdp(address, port, reusePort, ipv6Only));
        return { fd, name: undefined };
      } catch (error) {
        const family = isIPv6(address) ? 'IPv6' : 'IPv4';
        const named = withAddress(error, printEndpoint({ address, family, port }));
        throw explainPort(named, { protocol: 'udp', address, port });
      }
    },
  };
}

/** The socket's own, and the permissions of its file. */
export type DatagramOptions = SocketOptions & Pick<BindOptions, 'mode'>;

const DATAGRAM_OPTIONS: KnownNames<DatagramOptions> = {
  ...SOCKET_OPTIONS,
  mode: true,
};

/** A leftover file of a dead process is replaced. */
export function datagramPlace(address: UnixAddress, options: DatagramOptions): Place {
  validateOptions('options', options, DATAGRAM_OPTIONS);
  const { mode } = options;
  return {
    matches: ({ type, local }: FdInfo) =>
      type === 'dgram' && local instanceof UnixAddress && local.equals(address),
    bind() {
      const fd = Fd.own(binding.openSocket(SOCK_DGRAM));
      try {
        const how = { replaceStale: true, ...(mode === undefined ? {} : { mode }) };
        return { fd, name: bindUnix({ fd: fd.fd, type: SOCK_DGRAM }, address, how) };
      } catch (error) {
        fd.close();
        throw error;
      }
    },
  };
}
