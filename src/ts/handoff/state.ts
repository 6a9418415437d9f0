// The state that one generation leaves to the next: a value in a sealed memfd, with its version and its hash.
import { createHash } from 'node:crypto';
import { fstatSync, readSync, writeSync } from 'node:fs';
import { types } from 'node:util';
import { deserialize, serialize } from 'node:v8';
import { FdpassError, invalidArgType } from '../base/errors';
import { validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';
import { Fd } from '../fd/fd';
import { withFsNumber } from '../fd/fs-number';
import { binding } from '../native/binding';
import type { StateLabel } from './payloads';

export interface StateOptions {
  /** Longest state in bytes, that this process gives or accepts. Default 64 MiB. */
  maxBytes?: number;
  /**
   * If there is a state and it cannot be read (or the predecessor cannot provide it): 'abort', the default, ends
   * createHandoff(), and the predecessor serves on; 'empty' goes on without one, with a process warning.
   */
  onError?: 'abort' | 'empty';
}

/** What a predecessor has left. */
export interface HandedState {
  /** That it gave to provideState(). A program that has moved on converts the value, or throws. */
  readonly version: number;
  readonly value: unknown;
}

export type StateSettings = Required<StateOptions>;

const DEFAULTS: StateSettings = { maxBytes: 64 * 1024 * 1024, onError: 'abort' };

/** V8 refuses to make one buffer of more. */
const MAX_STATE_BYTES = 2 ** 31 - 1;

export function validateState(given: StateOptions = {}): StateSettings {
  validateOptions('options.state', given, DEFAULTS);
  const { maxBytes = DEFAULTS.maxBytes, onError = DEFAULTS.onError } = given;
  validateInteger('options.state.maxBytes', maxBytes, 1, MAX_STATE_BYTES);
  if (onError !== 'abort' && onError !== 'empty')
    throw invalidArgType('options.state.onError', "'abort' or 'empty'", onError);
  return { maxBytes, onError };
}

export interface StateBlob {
  /** Sealed: nobody can change it any more. */
  fd: Fd;
  label: StateLabel;
}

/** @throws ERR_HANDOFF_BAD_STATE: get() throws, or gives what cannot be cloned, or too much; SystemError EMFILE */
export function writeState(version: number, get: () => unknown, maxBytes: number): StateBlob {
  let bytes: Buffer;
  try {
    const value = get();
    if (types.isPromise(value))
      throw new Error('it is a promise, and what provideState() calls must not wait');
    bytes = serialize(value);
  } catch (cause) {
    throw badState(`the state cannot be provided: ${textOf(cause)}`, cause);
  }
  if (bytes.length > maxBytes) throw badState(tooLong(bytes.length, maxBytes));
  const fd = Fd.own(binding.createMemfd('fdpass-state'));
  try {
    withFsNumber(fd, 'r+', (number) => {
      for (let at = 0; at < bytes.length; ) at += writeSync(number, bytes, at);
    });
    binding.seal(fd.fd);
  } catch (error) {
    fd.close();
    throw error;
  }
  return { fd, label: { version, bytes: bytes.length, sha256: hashOf(bytes) } };
}

/** `fd` stays the caller's. @throws ERR_HANDOFF_BAD_STATE */
export function readState({ fd, label }: StateBlob, maxBytes: number): HandedState {
  if (label.bytes > maxBytes) throw badState(tooLong(label.bytes, maxBytes));
  // Without the seals it could change, or shrink, while it is read.
  if (!binding.isSealed(fd.fd)) throw badState('the state is not sealed');
  const bytes = withFsNumber(fd, 'r', (number) => readAll(number, label.bytes));
  if (hashOf(bytes) !== label.sha256) throw badState('the state does not have the hash that was announced');
  try {
    return { version: label.version, value: deserialize(bytes) };
  } catch (cause) {
    throw badState(`the state cannot be read by Node ${process.version}: ${textOf(cause)}`, cause);
  }
}

function readAll(number: number, wanted: number): Buffer {
  const { size } = fstatSync(number);
  if (size !== wanted) throw badState(`the state has ${size} bytes, not ${wanted}`);
  const bytes = Buffer.alloc(size);
  for (let at = 0; at < size; ) at += readSync(number, bytes, at, size - at, at);
  return bytes;
}

/** What is optional and fails is undefined, and told as a process warning. */
export function orWarn<T>(optional: boolean, work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (!optional) throw error;
    process.emitWarning(error as Error);
    return undefined;
  }
}

function hashOf(bytes: Buffer): string {
  return createHash('sha256').update(bytes).digest('hex');
}

function tooLong(bytes: number, maxBytes: number): string {
  return `the state has ${bytes} bytes, and options.state.maxBytes is ${maxBytes}`;
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function badState(message: string, cause?: unknown): FdpassError {
  return new FdpassError('ERR_HANDOFF_BAD_STATE', message, cause === undefined ? {} : { cause });
}
