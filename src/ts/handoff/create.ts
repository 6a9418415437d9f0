// The kind of handoff that this platform can have.
import { isSupported } from '../native/binding';
import { Handoff } from './handoff';
import { type HandoffOptions, readOptions } from './options';
import { createPlainHandoff } from './plain-handoff';

/** Of a process that is no worker of a pool: the createHandoff() that users call is in worker/create.ts. */
export async function createHandoff(options: HandoffOptions): Promise<Handoff> {
  if (!isSupported) return createPlainHandoff(options);
  return await Handoff.begin(readOptions(options));
}
