// The classes of libuv's handles for TCP and AF_UNIX, and a connection in one. Node exports neither class: an object of
// net that has one shows it.
import net from 'node:net';
import { systemError } from '../base/errors';
import { unsupportedRuntime } from '../base/runtime';
import { binding } from '../native/binding';
import { SOCK_STREAM } from './describe';
import type { Fd } from './fd';
import { type Handle, handleOf } from './handle';

/** TCPWrap and PipeWrap of Node, as far as we use them. */
interface StreamHandle extends Handle {
  /** 0, or negative an errno: then the number is still the caller's. */
  open(fd: number): number;
  close(): void;
}

export type StreamHandleClass = new (type: number) => StreamHandle;

/** TCPConstants.SOCKET and PipeConstants.SOCKET: a connection. */
const SOCKET = 0;

/** AF_UNIX of socket(2), SOL_SOCKET and SO_DOMAIN of socket(7). */
const AF_UNIX = 1;
const SOL_SOCKET = 1;
const SO_DOMAIN = 39;

let tcp: StreamHandleClass | undefined;
let pipe: StreamHandleClass | undefined;

/**
 * What was accepted, as the handle that a server of Node would have made of it. Consumes `fd`.
 * @throws SystemError ENOTSOCK and the like; `fd` is closed then
 */
export function openConnection(fd: Fd): StreamHandle {
  const number = fd.detach();
  try {
    const domain = binding.getOption(number, SOL_SOCKET, SO_DOMAIN);
    const handle = new (domain === AF_UNIX ? pipeClass() : tcpClass())(SOCKET);
    const status = handle.open(number);
    if (status === 0) return handle;
    handle.close();
    throw systemError(status, 'open');
  } catch (error) {
    binding.closeFd(number);
    throw error;
  }
}

/** @throws ERR_FDPASS_UNSUPPORTED_RUNTIME */
export function tcpClass(): StreamHandleClass {
  tcp ??= classOf((socket) => {
    // The handle is made before the name is looked up, which never happens. No system call.
    socket.connect({ host: 'localhost', port: 1, lookup: () => {} });
  });
  return tcp;
}

function pipeClass(): StreamHandleClass {
  if (pipe !== undefined) return pipe;
  const [one, other] = binding.openPair(SOCK_STREAM);
  binding.closeFd(other);
  binding.disownFd(one);
  // manualStart: it does not read, and is gone in a moment.
  pipe = classOf(() => {}, { fd: one, manualStart: true } as net.SocketConstructorOpts);
  return pipe;
}

function classOf(open: (socket: net.Socket) => void, options?: net.SocketConstructorOpts): StreamHandleClass {
  const socket = new net.Socket(options);
  try {
    open(socket);
    const handle = handleOf(socket);
    if (!handle || typeof (handle as StreamHandle).open !== 'function')
      throw unsupportedRuntime('connection of another acceptor');
    return handle.constructor as StreamHandleClass;
  } finally {
    socket.destroy();
  }
}
