// The command line of `npm run faults`.
import { parseArgs } from 'node:util';

export interface FaultOptions {
  help: boolean;
  json: boolean;
  /** Only cells whose title contains it. */
  filter: string;
}

export const help = `npm run faults [-- FILTER] [--json] [--help]

Strikes the old or the new process with every fault, in every state of a handoff, under HTTP load on a kept-alive connection
and on new ones, and looks: who serves, which requests failed, whether the next restart works, whether descriptors
or processes are left. FILTER: only cells whose name contains it ("SIGKILL of the old", "state probation").

  ok     no request failed
  N      N requests failed that may: those inside a process that died (at most one for each client), or new connections
         turned away by a process that had no descriptor left
  n.a.   cannot be, for the reason below the table
  FAILED

  --json   the results as JSON on stdout, progress on stderr

Takes about five minutes. Exit code 0 if no cell failed, 1 otherwise.
`;

export function parseOptions(args: string[]): FaultOptions {
  const { values, positionals } = parseArgs({
    args,
    options: { help: { type: 'boolean', short: 'h' }, json: { type: 'boolean' } },
    allowPositionals: true,
  });
  return { help: values.help ?? false, json: values.json ?? false, filter: positionals.join(' ') };
}
