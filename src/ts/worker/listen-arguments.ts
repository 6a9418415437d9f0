// What a program has asked server.listen() for, and what a listener of the pool for it is called.
import { createHash } from 'node:crypto';
import net from 'node:net';
import { DEFAULT_BACKLOG } from '../base/limits';
import { UnixAddress } from '../fd/address';
import type { PlaceRequest } from './messages';
import { unixPlace } from './place';

export interface Wanted {
  /** The same in every worker. With port 0 one for each place is told by a number behind it. */
  name: string;
  anyPort: boolean;
  place: PlaceRequest & { kind: 'stream' };
  backlog: number;
  /** For people. */
  address: string;
  /** What address() gives. */
  path: string | undefined;
  signal: AbortSignal | undefined;
  callback: (() => void) | undefined;
}

interface ListenOptions extends net.ListenOptions {
  fd?: unknown;
  handle?: unknown;
  _handle?: unknown;
  reusePort?: boolean;
}

type Normalize = (args: unknown[]) => [ListenOptions, (() => void) | null];

/** Of Node itself, which net.Server.listen() begins with. Node 0.12 to 26 */
const { _normalizeArgs: normalize } = net as unknown as { _normalizeArgs?: Normalize };

/**
 * undefined: that is for Node. A descriptor or a handle of the program's own, one that it does not want to share, or something
 * that listen() does not take.
 */
export function readListenArguments(args: readonly unknown[]): Wanted | undefined {
  if (normalize === undefined) return undefined;
  const [options, callback] = normalize([...args]);
  const own = [options.fd, options.handle, options._handle].some(
    (given) => given !== undefined && given !== null,
  );
  if (own || isHandle(args[0]) || options.exclusive === true) return undefined;
  const { signal } = options;
  if (signal !== undefined && !(signal instanceof AbortSignal)) return undefined;
  const backlog =
    readBacklog(options.backlog) ?? readBacklog(args[1]) ?? readBacklog(args[2]) ?? DEFAULT_BACKLOG;
  const rest = { backlog, signal, callback: callback ?? undefined };
  const port = readPort(args, options);
  if (port !== undefined) return { ...tcp(port, options, backlog), ...rest };
  if (typeof options.path !== 'string' || options.path === '') return undefined;
  return { ...unix(options.path, options, backlog), ...rest };
}

/** listen(handle) */
function isHandle(first: unknown): boolean {
  return typeof first === 'object' && first !== null && ('_handle' in first || 'fd' in first);
}

/** As listen() counts it: none, null, or a path next to it is no port; nothing at all is any port. */
function readPort(args: readonly unknown[], options: ListenOptions): number | undefined {
  const { port } = options as { port?: unknown };
  const nothing = args.length === 0 || typeof args[0] === 'function';
  if (nothing || port === null || (port === undefined && 'port' in options)) return 0;
  if (typeof port !== 'number' && (typeof port !== 'string' || port.trim() === '')) return undefined;
  const number = Number(port);
  return Number.isInteger(number) && number >= 0 && number <= 65_535 ? number : undefined;
}

function readBacklog(value: unknown): number | undefined {
  const number = typeof value === 'number' ? value : Number.NaN;
  return Number.isInteger(number) && number > 0 && number < 2 ** 31 ? number : undefined;
}

type Listener = Pick<Wanted, 'name' | 'anyPort' | 'place' | 'address' | 'path'>;

/** What shares its port is the pool's, too: a socket of the worker's own would lose who waits in it when the worker leaves. */
function tcp(port: number, { host, ipv6Only, reusePort }: ListenOptions, backlog: number): Listener {
  const where = typeof host === 'string' && host !== '' ? { host } : {};
  const address = `${where.host ?? '::'}:${port}`;
  const only = ipv6Only === true ? { ipv6Only } : {};
  const shares = reusePort === true ? { reusePort } : {};
  return {
    name: listenerName('tcp', address),
    address,
    anyPort: port === 0,
    place: { kind: 'stream', port, ...where, ...only, ...shares, backlog },
    path: undefined,
  };
}

/** '@name' is a file to Node. */
function unix(path: string, { readableAll, writableAll }: ListenOptions, backlog: number): Listener {
  const abstract = path.startsWith('\0');
  const address = abstract ? UnixAddress.abstract(path.slice(1), { padded: PADS }) : UnixAddress.path(path);
  const place = unixPlace(address);
  const mode = readableAll || writableAll ? { mode: fileMode(readableAll, writableAll) } : {};
  const text = Buffer.from(place.bytes, 'base64').toString();
  return {
    name: abstract ? listenerName('abstract', path.slice(1)) : listenerName('unix', text),
    anyPort: false,
    address: `${address}`,
    place: { kind: 'stream', unix: place, ...mode, backlog },
    path,
  };
}

/** Node 20 binds abstract names of 107 bytes, and its clients connect to such. */
const PADS = Number.parseInt(process.versions.node, 10) < 21;

/** As Node adds it to what the umask leaves. */
function fileMode(readable: boolean | undefined, writable: boolean | undefined): number {
  return (0o777 & ~process.umask()) | (readable ? 0o444 : 0) | (writable ? 0o222 : 0);
}

/** What a listener of a Handoff may be called; an address that does not fit goes by its hash. */
function listenerName(kind: string, address: string): string {
  // Room is left for the number behind it.
  if (/^[A-Za-z0-9._:/-]{1,48}$/.test(address)) return `${kind}:${address}`;
  return `${kind}:${createHash('sha256').update(address).digest('hex').slice(0, 32)}`;
}
