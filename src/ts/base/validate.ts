// Argument checks for public functions. Each names the argument, says what was given and what to give.
import { types } from 'node:util';
import { invalidArgType, outOfRange } from './errors';
import { MAX_TIMEOUT_MS } from './limits';

export function validateInteger(name: string, value: unknown, min: number, max: number): number {
  if (typeof value !== 'number') throw invalidArgType(name, 'a number', value);
  if (!Number.isInteger(value) || value < min || value > max) {
    throw outOfRange(name, `an integer from ${min} to ${max}`, value);
  }
  return value;
}

/** A descriptor number as it is, open or not. */
export function validateFdNumber(name: string, value: unknown): number {
  return validateInteger(name, value, 0, 2 ** 31 - 1);
}

export function validateTimeout(name: string, value: unknown): number {
  return validateInteger(name, value, 1, MAX_TIMEOUT_MS);
}

export function validateObject(name: string, value: unknown): void {
  if (value === null || typeof value !== 'object') throw invalidArgType(name, 'an object', value);
}

/** The bytes of a message: a string is UTF-8, any view keeps its memory. */
export function toBytes(name: string, data: string | Uint8Array | ArrayBufferView): Uint8Array {
  if (types.isUint8Array(data)) return data; // not instanceof: a Proxy of one has no bytes
  if (typeof data === 'string') return Buffer.from(data);
  if (ArrayBuffer.isView(data)) return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  throw invalidArgType(name, 'a string, a Buffer or another view of bytes', data);
}
