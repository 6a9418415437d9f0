// What a command to a service says when there is no answer that it could show.
import type { Result } from '../handoff/command';
import { jsonOf } from '../pool/metrics-json';
import { EXIT } from './command';

/** One object on one line for scripts. */
export function printJson(value: object): void {
  process.stdout.write(`${jsonOf(value)}\n`);
}

/** Nobody has answered, or it is not known what became of it. @returns the exit code */
export function noAnswer(command: string, error: unknown, json: boolean): number {
  const { code = 'ERR_HANDOFF_ABORTED', message } = error as NodeJS.ErrnoException;
  if (json) printJson({ outcome: 'unknown', code, reason: message });
  process.stderr.write(`fdpass ${command}: ${message}\n`);
  return EXIT.failed;
}

/** The process has answered with something else. @returns the exit code */
export function otherAnswer(command: string, result: Result, json: boolean): number {
  if (json) printJson(result);
  process.stderr.write(`fdpass ${command}: ${reasonOf(result)}\n`);
  return EXIT.failed;
}

function reasonOf(result: Result): string {
  if ('reason' in result) return result.reason;
  if (result.outcome === 'busy')
    return `a restart is under way: process ${result.pid}, state ${result.state}; try again`;
  return `the process answers with '${result.outcome}'`;
}
