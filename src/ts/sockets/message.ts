// What a received message is, and the options of sockets that send and receive messages.
import type { WaitOptions } from '../base/abort';
import { DEFAULT_MAX_BYTES, MAX_FDS_PER_MESSAGE, MAX_MAX_BYTES } from '../base/limits';
import { validateInteger, validateObject } from '../base/validate';
import type { UnixAddress } from '../fd/address';
import type { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';

/** Identity of a process as the kernel vouches for it. Ids as the receiver's namespaces show them. */
export interface Credentials {
  pid: number;
  uid: number;
  gid: number;
}

export interface Message {
  data: Buffer;
  /** Owned by whoever has the message. */
  fds: Fd[];
  /** UnixAddress.unnamed if the sender was not bound. */
  from: UnixAddress;
  /** With the option `credentials`: SCM_CREDENTIALS. Absent if the kernel did not know. */
  credentials?: Credentials;
  /** The message was longer than `maxBytes`; the rest is gone. */
  truncated: boolean;
  /** Bytes that were sent; more than data.length if truncated. */
  size: number;
  /** More descriptors came than `maxFds` allows, or than the process may open; the rest was closed. */
  fdsDropped: boolean;
}

export interface SocketOptions {
  /**
   * Descriptors that one received message may carry, 0 to 253. With 0, the default, none can be forced
   * upon the process: what comes is closed (and refused to the sender with EPERM from Linux 6.16 on).
   */
  maxFds?: number;
  /** Bytes of the longest message to receive, default 262144. */
  maxBytes?: number;
  /** Report who sent each message (SO_PASSCRED). An unbound socket then gets a name from the kernel. */
  credentials?: boolean;
  /** Closes the socket when aborted. */
  signal?: AbortSignal;
}

export interface SendOptions extends WaitOptions {
  /** Up to 253 descriptors, lent: they stay the caller's and may be closed as soon as send() has returned. */
  fds?: readonly FdLike[];
}

/** SocketOptions with all defaults filled in. */
export interface MessageLimits {
  maxFds: number;
  maxBytes: number;
  credentials: boolean;
}

export function validateSocketOptions(options: SocketOptions): MessageLimits {
  validateObject('options', options);
  return {
    maxFds: validateInteger('options.maxFds', options.maxFds ?? 0, 0, MAX_FDS_PER_MESSAGE),
    maxBytes: validateInteger('options.maxBytes', options.maxBytes ?? DEFAULT_MAX_BYTES, 1, MAX_MAX_BYTES),
    credentials: options.credentials === true,
  };
}

/** Closes what a message brought and nobody wanted. */
export function discard(message: Message): void {
  for (const fd of message.fds) fd.close();
}
