// The options of stream sockets, and their checks.
import type { OnReadOpts } from 'node:net';
import { validateSignal } from '../base/abort';
import { MAX_FDS_PER_MESSAGE } from '../base/limits';
import type { KnownNames } from '../base/options';
import { validateInteger } from '../base/validate';
import type { AddressLike } from '../fd/address';
import type { Passing } from './passing';

export interface StreamOptions {
  /**
   * Descriptors that may come with one read, 0 to 253. With 0, the default, none can be forced upon the process:
   * what comes is closed (and refused to the sender with EPERM from Linux 6.16 on).
   */
  maxFds?: number;
  /** Tell by 'credentials' who wrote what follows (SO_PASSCRED). An unbound socket then gets a name from the kernel. */
  credentials?: boolean;
  /** Stay open for writing after the peer has ended. Default false: the stream ends by itself. */
  allowHalfOpen?: boolean;
  /** Bytes to buffer in each direction before the peer, or whoever writes, has to wait. Default: that of node:stream. */
  highWaterMark?: number;
  /**
   * As `onread` of net.Socket: bytes are received into this buffer, or what the function gives for each read, and shown
   * to `callback` with their number. The stream then gives no data; 'end' and the other events come as ever, 'fds' and
   * 'credentials' right before the callback. Returning false pauses. The fastest way to read: nothing is copied or kept.
   */
  onread?: OnReadOpts;
  /** Bytes on their way to the peer, as the kernel counts them: the more, the fewer system calls. SO_SNDBUF, socket(7) */
  sendBufferSize?: number;
  /** Destroys the stream with an AbortError. */
  signal?: AbortSignal;
}

export const STREAM_OPTIONS: KnownNames<StreamOptions> = {
  maxFds: true,
  credentials: true,
  allowHalfOpen: true,
  highWaterMark: true,
  onread: true,
  sendBufferSize: true,
  signal: true,
};

export interface StreamConnectOptions extends StreamOptions {
  /** Milliseconds to wait while the server's backlog is full. Default: as long as it lives. */
  timeout?: number;
  /** The name that the server sees. A file of that name is removed when the stream closes. */
  localAddress?: AddressLike;
}

export const STREAM_CONNECT_OPTIONS: KnownNames<StreamConnectOptions> = {
  ...STREAM_OPTIONS,
  timeout: true,
  localAddress: true,
};

/** The values; the names are for the public function, which knows more of them than a stream or fewer. */
export function validateStreamOptions(options: StreamOptions): Passing {
  const { maxFds = 0, highWaterMark, sendBufferSize, signal } = options;
  validateInteger('options.maxFds', maxFds, 0, MAX_FDS_PER_MESSAGE);
  if (highWaterMark !== undefined) validateInteger('options.highWaterMark', highWaterMark, 0, 2 ** 31 - 1);
  if (sendBufferSize !== undefined) validateInteger('options.sendBufferSize', sendBufferSize, 1, 2 ** 31 - 1);
  validateSignal('options.signal', signal);
  return { maxFds, credentials: options.credentials === true, pidFd: false };
}
