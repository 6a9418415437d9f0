// requireServer(): the servers that can be given a listener.
import http from 'node:http';
import net from 'node:net';
import { invalidArgType } from '../base/errors';
import { unsupportedRuntime } from '../base/runtime';

/** @throws ERR_INVALID_ARG_TYPE; ERR_FDPASS_UNSUPPORTED_RUNTIME for what has no net.Server inside: Bun's http and https */
export function requireServer(server: unknown): asserts server is net.Server {
  if (server instanceof net.Server) return;
  // Not tried: it would listen on some port of every address before anyone could look.
  if (server instanceof http.Server) throw unsupportedRuntime('http on a descriptor');
  // What express() gives, most of the time.
  const advice = typeof server === 'function' ? 'wrap it: http.createServer(app)' : undefined;
  throw invalidArgType('server', 'a server of net, tls, http, https or http2', server, advice);
}
