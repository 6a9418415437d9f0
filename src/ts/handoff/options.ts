// HandoffOptions: what createHandoff() is given, checked once.
import { invalidArgType } from '../base/errors';
import { validateInteger, validateObject } from '../base/validate';
import type { AddressLike, UnixAddress } from '../fd/address';
import { controlAddress, validateHandoffName } from './control-address';
import type { Probation } from './payloads';
import { type ProbationOptions, validateProbation } from './probation';
import { type StateOptions, type StateSettings, validateState } from './state';
import { type HandoffTimeouts, validateTimeouts } from './timeouts';

export interface HandoffOptions {
  /** Names the service on this machine: processes with one name and one user replace each other. */
  name: string;
  /** Where they meet. Default: a socket file in a directory of this user. '@name' needs no file system. */
  address?: AddressLike;
  /** Further user ids that may take over from this process, or hand over to it. Root and our own always may. */
  allow?: readonly number[];
  timeouts?: Partial<HandoffTimeouts>;
  /** How this process proves itself when it has taken over. Default: 10 seconds, without a health check. */
  probation?: ProbationOptions;
  /** What provideState() of the predecessor has left. */
  state?: StateOptions;
}

export interface HandoffSettings {
  name: string;
  address: UnixAddress;
  allow: readonly number[];
  timeouts: HandoffTimeouts;
  probation: Probation;
  health: ProbationOptions['health'];
  state: StateSettings;
}

/** @throws TypeError, RangeError, ERR_HANDOFF_UNSAFE_DIRECTORY */
export function readOptions(options: HandoffOptions): HandoffSettings {
  validateObject('options', options);
  const { allow = [], address } = options;
  if (!Array.isArray(allow)) throw invalidArgType('options.allow', 'an array of user ids', allow);
  for (const uid of allow) validateInteger('options.allow[]', uid, 0, 2 ** 32 - 2);
  return {
    name: validateHandoffName(options.name),
    allow,
    timeouts: validateTimeouts(options.timeouts),
    probation: validateProbation(options.probation),
    health: options.probation?.health,
    state: validateState(options.state),
    address: controlAddress(options.name, address),
  };
}
