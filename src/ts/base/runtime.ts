// What Bun and Deno lack of Node: the texts of the errors. That something is lacking is found out by trying, where it
// would be used, and not by the name of the runtime: so whatever a runtime mends works here from then on.
import { runtimeName } from '../native/runtime';
import { FdpassError } from './errors';

interface Lack {
  what: string;
  instead: string;
}

const LACKS = {
  /** Bun: http.Server is no net.Server, ignores `fd` of listen() and takes any port. */
  'http on a descriptor': {
    what: 'listening on a given descriptor with a server of http or https',
    instead: 'Use a server of net, tls or http2',
  },
  /** Found with nobody yet: a net.Server that does as Bun's http.Server does. */
  'server on a descriptor': {
    what: 'listening on a given descriptor with this server (it took another address)',
    instead: 'Use UnixServer for AF_UNIX',
  },
  /** Bun: pipes; and what is not connected yet, as connectUnix() has it. */
  'socket on a descriptor': {
    what: 'a net.Socket on a given descriptor that is a pipe or not connected yet',
    instead: "Use UnixStream for AF_UNIX, and fs.createReadStream('', { fd: fd.detach() }) for a pipe",
  },
  /** Deno: bind({ fd }) fails with ERR_INVALID_FD_TYPE. */
  'dgram on a descriptor': {
    what: 'a dgram.Socket on a given descriptor',
    instead: 'Bind it to its address by node:dgram, without handing it over',
  },
  /** Deno: everything fails with EBADF. */
  'fs on a descriptor': {
    what: 'node:fs with a descriptor that it has not opened itself',
    instead:
      'Open /proc/self/fd/N by node:fs while the Fd is open: that is the same file with an offset of its own',
  },
  /** Bun and Deno: no handle of net calls onconnection(). */
  'connection of another acceptor': {
    what: 'giving a server a connection that another process has accepted',
    instead: 'Let every worker accept itself: the balance kernel or reuseport',
  },
  /** Deno: handles of net and dgram have no `fd`. Bun: those of http. */
  'descriptor of an object': {
    what: 'looking up the descriptor of an object of net, http or dgram',
    instead:
      'What listen() or connect() has made cannot be passed there. Pass a socket of fdpass (UnixServer, UnixStream, ' +
      '...), or a duplicate (Fd.dup()) made before the Fd went to adoptServer() or adoptSocket()',
  },
} satisfies Record<string, Lack>;

/** ERR_FDPASS_UNSUPPORTED_RUNTIME */
export function unsupportedRuntime(lack: keyof typeof LACKS, cause?: unknown): FdpassError {
  const { what, instead } = LACKS[lack];
  return new FdpassError(
    'ERR_FDPASS_UNSUPPORTED_RUNTIME',
    `${what} does not work in ${runtimeName}. ${instead}; or run this in Node.`,
    cause === undefined ? {} : { cause },
  );
}
