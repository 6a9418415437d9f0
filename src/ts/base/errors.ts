// The errors of the package: system failures in the shape of node:net, misuse, and our own codes.
import { getSystemErrorName, inspect } from 'node:util';

/** A failed system call, with the fields that node:net and node:dgram give. */
export interface SystemError extends Error {
  /** 'ECONNREFUSED', ... */
  code: string;
  /** Negative, as in node:net. */
  errno: number;
  syscall: string;
  /** The address that the call was given, printed as UnixAddress.toString() does. */
  address?: string;
  /** With EADDRINUSE: who holds the address, as far as this user may see. For people: it is soon out of date. */
  holders?: readonly SocketHolder[];
}

/** A process that has a socket open. */
export interface SocketHolder {
  pid: number;
  /** Its command line in one line, cut; '[name]' where there is none. */
  command: string;
  /** The effective user. */
  uid: number;
}

const SHORT = { depth: 0, maxStringLength: 40 };

/** asm-generic/errno.h; libuv has no name for it. */
const ETOOMANYREFS = -109;

/** @param errno negative */
export function systemError(errno: number, syscall: string, address?: string): SystemError {
  const code = errno === ETOOMANYREFS ? 'ETOOMANYREFS' : getSystemErrorName(errno);
  const error = new Error(`${syscall} ${code}`) as SystemError;
  Object.assign(error, { errno, code, syscall });
  return address === undefined ? error : withAddress(error, address);
}

/** Adds the address to what the addon threw. */
export function withAddress(error: unknown, address: string): SystemError {
  const system = error as SystemError;
  system.message = `${system.message} ${address}`;
  system.address = address;
  return system;
}

export function hasCode(error: unknown, ...codes: string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(error.code as string);
}

/** Our own failures. `code` is API, the text is not. */
export class FdpassError extends Error {
  readonly code: string;
  constructor(code: `ERR_${string}`, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
  override get name(): string {
    return 'FdpassError';
  }
}

/** @param advice what to do instead, of somebody who has given this */
export function invalidArgType(name: string, expected: string, actual: unknown, advice?: string): TypeError {
  const help = advice === undefined ? '' : ` (${advice})`;
  return Object.assign(new TypeError(`${name} must be ${expected}; it is ${called(actual)}${help}`), {
    code: 'ERR_INVALID_ARG_TYPE',
  });
}

/** What somebody gave, in a few words: what is in an object may be long, and secret. */
function called(actual: unknown): string {
  if (typeof actual === 'function') return `the function ${inspect(actual.name, SHORT)}`;
  if (typeof actual !== 'object' || actual === null) return inspect(actual, SHORT);
  const name = className(actual);
  return name === 'Object' ? 'a plain object' : `an object of class ${name}`;
}

function className(object: object): string {
  try {
    return String(object.constructor.name).slice(0, 40) || 'Object';
  } catch {
    return 'Object'; // without a prototype, or a proxy that refuses
  }
}

/** @param message says which argument, and what to give */
export function invalidArgValue(message: string): TypeError {
  return Object.assign(new TypeError(message), { code: 'ERR_INVALID_ARG_VALUE' });
}

export function outOfRange(name: string, expected: string, actual: unknown): RangeError {
  return Object.assign(new RangeError(`${name} must be ${expected}; it is ${inspect(actual)}`), {
    code: 'ERR_OUT_OF_RANGE',
  });
}

export function closedError(what: string): FdpassError {
  return new FdpassError('ERR_FDPASS_CLOSED', `this ${what} is closed`);
}
