// ERR_HANDOFF_STATE: a call that does not fit what this process is doing.
import { FdpassError } from '../base/errors';

export function stateError(message: string): FdpassError {
  return new FdpassError('ERR_HANDOFF_STATE', message);
}
