// HandoffOptions: what createHandoff() is given, checked once.
import { constants } from 'node:os';
import path from 'node:path';
import { isMainThread } from 'node:worker_threads';
import { invalidArgType, invalidArgValue } from '../base/errors';
import { type KnownNames, validateOptions } from '../base/options';
import { validateInteger } from '../base/validate';
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
  /**
   * Calls upgrade() on this signal, from createHandoff() to the end of close(). If it fails, or cannot begin, that is a
   * process warning, and this process serves on. Refused in a worker thread, which gets no signals, and for SIGTERM and
   * SIGINT, which are the end of a service.
   */
  restartOn?: NodeJS.Signals;
  /**
   * A file that names the process which owns the service: written, by rename(2), when the first process is ready and when
   * a successor's probation is over; removed by close(), if it still names this process. If that fails it is a process
   * warning (FDPASS_PID_FILE).
   */
  pidFile?: string;
}

/** What counts on every platform. */
export interface PlainSettings {
  name: string;
  allow: readonly number[];
  timeouts: HandoffTimeouts;
  probation: Probation;
  health: ProbationOptions['health'];
  state: StateSettings;
  restartOn: NodeJS.Signals | undefined;
  /** Absolute. */
  pidFile: string | undefined;
}

export interface HandoffSettings extends PlainSettings {
  address: UnixAddress;
}

/** @throws TypeError, RangeError, ERR_HANDOFF_UNSAFE_DIRECTORY */
export function readOptions(options: HandoffOptions): HandoffSettings {
  const settings = readPlainOptions(options);
  return { ...settings, address: controlAddress(settings.name, options.address) };
}

const OPTIONS: KnownNames<HandoffOptions> = {
  name: true,
  address: true,
  allow: true,
  timeouts: true,
  probation: true,
  state: true,
  restartOn: true,
  pidFile: true,
};

/** Nobody is met at the address. @throws TypeError, RangeError */
export function readPlainOptions(options: HandoffOptions): PlainSettings {
  validateOptions('options', options, OPTIONS);
  const { allow = [] } = options;
  if (!Array.isArray(allow)) throw invalidArgType('options.allow', 'an array of user ids', allow);
  for (const uid of allow) validateInteger('options.allow[]', uid, 0, 2 ** 32 - 2);
  return {
    name: validateHandoffName(options.name),
    allow,
    timeouts: validateTimeouts(options.timeouts),
    probation: validateProbation(options.probation),
    health: options.probation?.health,
    state: validateState(options.state),
    restartOn: validateSignalName(options.restartOn),
    pidFile: validatePidFile(options.pidFile),
  };
}

/** What terminals, supervisors and containers end a service with. */
const ENDINGS: readonly unknown[] = ['SIGTERM', 'SIGINT'];

function validateSignalName(signal: unknown): NodeJS.Signals | undefined {
  if (signal === undefined) return undefined;
  if (ENDINGS.includes(signal))
    throw invalidArgValue(
      `options.restartOn must not be ${signal}, which ends a service: nobody could end this one with it any more. Call ` +
        "close() on it, and restart on another, such as 'SIGHUP'",
    );
  if (!isMainThread)
    throw invalidArgValue(
      'options.restartOn does nothing in a worker thread, which gets no signals: leave it out, and call upgrade() when the ' +
        'main thread has one',
    );
  // Windows knows few of them, and the program was not written for it.
  const known =
    typeof signal === 'string' && (Object.hasOwn(constants.signals, signal) || process.platform === 'win32');
  if (known && signal !== 'SIGKILL' && signal !== 'SIGSTOP') return signal as NodeJS.Signals;
  throw invalidArgType('options.restartOn', "a signal that can be caught, such as 'SIGHUP'", signal);
}

function validatePidFile(file: unknown): string | undefined {
  if (file === undefined) return undefined;
  if (typeof file === 'string' && file !== '') return path.resolve(file);
  throw invalidArgType('options.pidFile', 'a path', file);
}
