// What a received message is, and the options of sockets that send and receive messages.
import { validateSignal, WAIT_OPTIONS, type WaitOptions } from '../base/abort';
import {
  DEFAULT_HIGH_WATER_MARK,
  DEFAULT_MAX_BYTES,
  MAX_FDS_PER_MESSAGE,
  MAX_MAX_BYTES,
  MAX_QUEUED_MESSAGES,
} from '../base/limits';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';
import type { UnixAddress } from '../fd/address';
import { Fd } from '../fd/fd';
import type { FdLike } from '../fd/lend';
import type { Passing } from './passing';
import type { Credentials } from './peer';

export interface Message {
  /** Owned like `fds`, unless the option `lendData` says otherwise. */
  data: Buffer;
  /** Owned by whoever has the message. */
  fds: Fd[];
  /** UnixAddress.unnamed if the sender was not bound. */
  from: UnixAddress;
  /** With the option `credentials`: SCM_CREDENTIALS. Absent if the kernel did not know. */
  credentials?: Credentials;
  /**
   * With the option `pidFd`: a pidfd of the sender, owned like `fds`. Absent if it has ended already.
   * SCM_PIDFD, Linux 6.5
   */
  pidFd?: Fd;
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
  /**
   * `data` is lent to the listeners of 'message': it is theirs until they return, then its memory takes the next messages. For
   * floods of messages above 4 KiB, each of which it saves a copy; copy what is to be kept, and wait for nothing. What receive()
   * and `for await` give is owned all the same.
   */
  lendData?: boolean;
  /** Report who sent each message (SO_PASSCRED). An unbound socket then gets a name from the kernel. */
  credentials?: boolean;
  /** Report a pidfd of who sent each message (SO_PASSPIDFD, Linux 6.5; ENOPROTOOPT before). */
  pidFd?: boolean;
  /** Messages that may wait for a full peer before `writableNeedDrain` turns true. Default 64. */
  highWaterMark?: number;
  /** Closes the socket when aborted. */
  signal?: AbortSignal;
}

export const SOCKET_OPTIONS: KnownNames<SocketOptions> = {
  maxFds: true,
  maxBytes: true,
  lendData: true,
  credentials: true,
  pidFd: true,
  highWaterMark: true,
  signal: true,
};

/** What goes with the bytes. */
export interface Attachments {
  /** Up to 253 descriptors, lent: they stay the caller's and may be closed as soon as send() has returned. */
  fds?: readonly FdLike[];
  /**
   * Tells a receiver that asked for credentials who sends, instead of what the kernel would say: any of this
   * process's own ids; others, or another pid, for root only (else EPERM). SCM_CREDENTIALS, unix(7)
   */
  credentials?: Credentials;
}

export interface SendOptions extends WaitOptions, Attachments {}

export const ATTACHMENTS: KnownNames<Attachments> = { fds: true, credentials: true };

export const SEND_OPTIONS: KnownNames<SendOptions> = { ...ATTACHMENTS, ...WAIT_OPTIONS };

/** SocketOptions with all defaults filled in. */
export interface MessageLimits extends Passing {
  maxBytes: number;
  lendData: boolean;
  highWaterMark: number;
}

/** @param known of a socket with more options than these */
export function validateSocketOptions(
  options: SocketOptions,
  known: KnownNames<SocketOptions> = SOCKET_OPTIONS,
): MessageLimits {
  validateOptions('options', options, known);
  validateSignal('options.signal', options.signal);
  return {
    maxFds: validateInteger('options.maxFds', options.maxFds ?? 0, 0, MAX_FDS_PER_MESSAGE),
    maxBytes: validateInteger('options.maxBytes', options.maxBytes ?? DEFAULT_MAX_BYTES, 1, MAX_MAX_BYTES),
    lendData: options.lendData === true,
    credentials: options.credentials === true,
    pidFd: options.pidFd === true,
    highWaterMark: validateInteger(
      'options.highWaterMark',
      options.highWaterMark ?? DEFAULT_HIGH_WATER_MARK,
      1,
      MAX_QUEUED_MESSAGES,
    ),
  };
}

/** Closes what a message brought and nobody wanted. */
export function discard(message: Message): void {
  Fd.closeAll(message.fds);
  message.pidFd?.close();
}
