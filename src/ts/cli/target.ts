// Which service a command is for: NAME, or --address; and what all commands to a service take.
import type { ParseArgsConfig } from 'node:util';
import { MAX_TIMEOUT_MS } from '../base/limits';
import { UnixAddress } from '../fd/address';
import { existingControlAddress, validateHandoffName } from '../handoff/control-address';
import { UsageError } from './command';
import { orTeach, parseCommandLine } from './command-line';

export interface Target {
  /** Undefined: whoever is at the address. */
  name: string | undefined;
  address: UnixAddress;
  json: boolean;
  timeoutMs: number | undefined;
}

/** Of each command to a service. */
export const TARGET_OPTIONS = {
  address: { type: 'string' },
  json: { type: 'boolean' },
  timeout: { type: 'string' },
} as const satisfies ParseArgsConfig['options'];

/** For the help of each. */
export const TARGET_HELP = `  NAME           the service, as createHandoff({ name }) or fdpass run --name has it; needed unless there is an --address
  --address AT   where its control socket is, if createHandoff() was given an address: a path or '@name'`;

/** Of a command that takes nothing else. @throws UsageError, ERR_HANDOFF_UNSAFE_DIRECTORY */
export function parseTarget(args: readonly string[]): Target {
  const config = { args: [...args], options: TARGET_OPTIONS, allowPositionals: true } as const;
  const { values, positionals } = parseCommandLine(config);
  return targetOf(values, positionals);
}

export interface TargetValues {
  address?: string | undefined;
  json?: boolean | undefined;
  timeout?: string | undefined;
}

/** @throws UsageError, ERR_HANDOFF_UNSAFE_DIRECTORY */
export function targetOf(values: TargetValues, positionals: readonly string[]): Target {
  const { address, json = false, timeout } = values;
  const [name, ...more] = positionals;
  if (more.length > 0) throw new UsageError(`one NAME is meant, not ${positionals.length}`);
  if (name === undefined && address === undefined)
    throw new UsageError(
      'NAME is missing: what the service gives to createHandoff(), or to fdpass run --name; fdpass ps lists them',
    );
  orTeach(() => name === undefined || validateHandoffName(name));
  return {
    name,
    address:
      address === undefined
        ? existingControlAddress(name as string)
        : orTeach(() => UnixAddress.from(address)),
    json,
    timeoutMs: timeout === undefined ? undefined : readTimeout(timeout),
  };
}

/** @throws UsageError */
export function readCount(option: string, text: string, max: number): number {
  const count = Number(text);
  if (/^\d+$/.test(text) && count <= max) return count;
  throw new UsageError(`${option} takes a number up to ${max}, not '${text}'`);
}

function readTimeout(text: string): number {
  const ms = Number(text);
  if (/^\d+$/.test(text) && ms >= 1 && ms <= MAX_TIMEOUT_MS) return ms;
  throw new UsageError(`--timeout takes milliseconds from 1 to ${MAX_TIMEOUT_MS}, not '${text}'`);
}
