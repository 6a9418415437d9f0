// Where a message goes.
import { invalidArgType, outOfRange } from '../base/errors';
import { type AddressLike, UnixAddress } from '../fd/address';

/** @returns undefined: the connected peer */
export function destination(to: AddressLike | undefined): UnixAddress | undefined {
  if (to === undefined) return undefined;
  if (isPlainObject(to)) {
    const advice = 'options come third: send(data, undefined, options) on a connected socket';
    throw invalidArgType('to', "a UnixAddress, a path or an '@name'", to, advice);
  }
  const address = UnixAddress.from(to);
  // An answer to a sender without a name: the kernel has nothing to go by.
  if (address.kind === 'unnamed') throw outOfRange('to', 'a path or an abstract name', address);
  return address;
}

/** No address is one. */
function isPlainObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
