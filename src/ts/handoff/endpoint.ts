// Where a stream listener is to listen: read from listen() options, compared with what was inherited, bound.
import { lookup } from 'node:dns/promises';
import net from 'node:net';
import { hasCode, invalidArgType, invalidArgValue, withAddress } from '../base/errors';
import { DEFAULT_BACKLOG } from '../base/limits';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';
import { UnixAddress } from '../fd/address';
import { type FdInfo, printEndpoint, SOCK_STREAM } from '../fd/describe';
import { Fd } from '../fd/fd';
import { requireServer } from '../fd/server';
import { explainPort } from '../names/address-in-use';
import { type BoundName, bindUnix } from '../names/bind-path';
import { binding } from '../native/binding';
import { stateError } from './state-error';

/** Those of net.Server.listen() that say where and how, and `drain`. Any other name is refused. */
export interface ListenerOptions {
  /** TCP. 0: one that the kernel picks; a successor takes whatever was picked. */
  port?: number;
  /** Default: every address, IPv6 and IPv4. A name is looked up. */
  host?: string;
  /** Instead of a port: a path, or '@name' for an abstract address. A leftover file of a dead process is replaced. */
  path?: string | UnixAddress;
  /** Permissions of the file. Default: 0777 less the umask. */
  mode?: number;
  /** Default 511, cut by net.core.somaxconn. */
  backlog?: number;
  ipv6Only?: boolean;
  /** SO_REUSEPORT: other sockets may share the port. */
  reusePort?: boolean;
  /**
   * Of a net or tls server: called for every open connection when it is to end, because a successor has taken over or
   * the service closes. It says goodbye in the program's own protocol; what is still open after `timeouts.drain` is
   * cut. HTTP has words of its own for that, and needs none. For WebSockets: drainWebSockets() of 'fdpass/ws'.
   */
  drain?: (socket: net.Socket) => void;
}

const OPTIONS: KnownNames<ListenerOptions> = {
  port: true,
  host: true,
  path: true,
  mode: true,
  backlog: true,
  ipv6Only: true,
  reusePort: true,
  drain: true,
};

type Endpoint =
  | { kind: 'unix'; address: UnixAddress; mode: number | undefined; backlog: number }
  | {
      kind: 'tcp';
      /** Numeric; undefined is every address. */
      host: string | undefined;
      port: number;
      backlog: number;
      ipv6Only: boolean;
      reusePort: boolean;
    };

/** A descriptor that has just been bound, and what it owes its file. */
export interface Bound {
  fd: Fd;
  /** Of a unix address. */
  name: BoundName | undefined;
}

/** Where a descriptor is to be bound. */
export interface Place {
  /** True if an inherited descriptor is there already. */
  matches(inherited: FdInfo): boolean;
  /** @throws SystemError EADDRINUSE with `holders`, EACCES, EADDRNOTAVAIL, ENOENT, each with the address */
  bind(): Bound;
}

/** Looks a host name up. */
export async function streamPlace(options: ListenerOptions): Promise<Place & { backlog: number }> {
  validateListenerOptions(options);
  const endpoint = await readEndpoint(options);
  return {
    backlog: endpoint.backlog,
    matches: (inherited) => matches(endpoint, inherited),
    bind: () => bindEndpoint(endpoint),
  };
}

/** @throws TypeError; ERR_FDPASS_UNSUPPORTED_RUNTIME; ERR_HANDOFF_STATE: it listens already */
export function validateServer(name: string, server: net.Server): void {
  if (typeof name !== 'string')
    throw invalidArgType('name', 'a string', name, 'it comes first: listen(name, server, options)');
  requireServer(server);
  if (server.listening)
    throw stateError('this server listens already; give it to listen() instead of calling its own');
}

/** The names, and what has to be there: the rest is for whoever binds. @throws TypeError */
export function validateListenerOptions(options: ListenerOptions): void {
  if (typeof options !== 'object' || options === null)
    throw invalidArgType('options', 'an object with a port or a path', options, meantBy(options));
  validateOptions('options', options, OPTIONS);
  const { path, port, drain } = options;
  if (path === undefined && port === undefined)
    throw invalidArgType('options', 'an object with a port or a path', options);
  if (path !== undefined && port !== undefined)
    throw invalidArgValue(
      'options has a port and a path; a listener has one: call listen() twice, with a server for each',
    );
  if (drain !== undefined && typeof drain !== 'function')
    throw invalidArgType('options.drain', 'a function', drain);
}

/** The habits of net.Server.listen(). */
function meantBy(options: unknown): string | undefined {
  if (typeof options === 'number') return `give { port: ${options} }`;
  if (typeof options === 'string') return 'give { port } or { path }';
  return undefined;
}

async function readEndpoint(options: ListenerOptions): Promise<Endpoint> {
  const backlog = validateInteger('options.backlog', options.backlog ?? DEFAULT_BACKLOG, 1, 2 ** 31 - 1);
  if (options.path !== undefined) {
    return { kind: 'unix', address: UnixAddress.from(options.path), mode: options.mode, backlog };
  }
  const port = validateInteger('options.port', options.port, 0, 65_535);
  const { host } = options;
  const numeric = host === undefined || net.isIP(host) !== 0 ? host : (await lookup(host)).address;
  return {
    kind: 'tcp',
    host: numeric === undefined ? undefined : canonical(numeric),
    port,
    backlog,
    ipv6Only: options.ipv6Only === true,
    reusePort: options.reusePort === true,
  };
}

/** As the kernel prints it: '::1' for '0:0:0:0:0:0:0:1'. */
function canonical(address: string): string {
  // A scoped address is compared as it is written; SocketAddress drops the scope.
  if (!net.isIPv6(address) || address.includes('%')) return address;
  return new net.SocketAddress({ address, family: 'ipv6' }).address;
}

function matches(endpoint: Endpoint, { type, listening, local }: FdInfo): boolean {
  if (type !== 'stream' || listening !== true) return false;
  if (endpoint.kind === 'unix') return local instanceof UnixAddress && local.equals(endpoint.address);
  if (local === undefined || local instanceof UnixAddress) return false;
  if (endpoint.port !== 0 && endpoint.port !== local.port) return false;
  if (endpoint.host === undefined) return local.address === '::' || local.address === '0.0.0.0';
  return endpoint.host === local.address;
}

function bindEndpoint(endpoint: Endpoint): Bound {
  return endpoint.kind === 'unix' ? bindUnixEndpoint(endpoint) : bindTcpEndpoint(endpoint);
}

function bindUnixEndpoint({ address, mode, backlog }: Endpoint & { kind: 'unix' }): Bound {
  const fd = Fd.own(binding.openSocket(SOCK_STREAM));
  try {
    const options = { replaceStale: true, ...(mode === undefined ? {} : { mode }) };
    return { fd, name: bindUnix({ fd: fd.fd, type: SOCK_STREAM, backlog }, address, options) };
  } catch (error) {
    fd.close();
    throw error;
  }
}

function bindTcpEndpoint({ host, port, backlog, reusePort, ipv6Only }: Endpoint & { kind: 'tcp' }): Bound {
  const bind = (address: string): Bound => {
    try {
      return {
        fd: Fd.own(binding.listenTcp(address, port, backlog, reusePort, ipv6Only)),
        name: undefined,
      };
    } catch (error) {
      const family = net.isIPv6(address) ? 'IPv6' : 'IPv4';
      const named = withAddress(error, printEndpoint({ address, family, port }));
      throw explainPort(named, { protocol: 'tcp', address, port });
    }
  };
  if (host !== undefined) return bind(host);
  try {
    return bind('::');
  } catch (error) {
    // A machine without IPv6, as net.Server.listen() treats it.
    if (hasCode(error, 'EAFNOSUPPORT', 'EADDRNOTAVAIL')) return bind('0.0.0.0');
    throw error;
  }
}
