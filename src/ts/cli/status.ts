// fdpass status: one service, its processes and its listeners.
import { ask } from '../handoff/ask';
import type { ServiceStatus } from '../handoff/command';
import type { PoolStatus } from '../handoff/pool-status';
import { type Command, EXIT } from './command';
import { otherAnswer, printJson } from './failure';
import { formatTable } from './table';
import { parseTarget, TARGET_HELP } from './target';
import { formatBytes, formatMs } from './units';
import { crashLines, rollLine, workerTable } from './worker-table';

export const status: Command = {
  help: `Show a service: its generations, and the listeners of the one that answers.

  fdpass status NAME [--json] [--timeout MS] [--address AT]

${TARGET_HELP}
  --json         for scripts: { outcome: "status", status: { name, pid, generation, state, ageMs, rssBytes, connections,
                 listeners: [{ name, address, inherited, connections }],
                 generations: [{ generation, pid, state, ageMs?, connections?, rssBytes? }],
                 lastFailure?: { code, reason, agoMs },
                 pool?: { balance?, kind, size, roll?: { done, total, ageMs }, workers: [{ worker, generation, pid,
                 threadId?, state, restarts, ageMs?, connections?, accepted?, requests?, loopLagMs?, rssBytes?, cpuMs?,
                 lastExit?: { reason, agoMs } }] } } }
  --timeout MS   stop waiting after so many milliseconds
  --help         this text

  fdpass status shop

States: "starting"; "probation" (serves, its predecessor stands by); "serving"; "standby" (its successor is on
probation); "draining" (superseded, its connections end); and while an upgrade is under way, how far the new process is.
During a probation both processes answer, now this one and now that. "generations" has all processes that live, the newest
first. What the one that answers has from the others is a second old at most; what is missing they have not said yet.
"lastFailure" is of an upgrade that the process has seen fail; of a pool also of a roll (code ERR_POOL_WORKER or
ERR_POOL_ABORTED).

A pool has a line for each worker: 2.3 is the third one in place 2. States: "starting"; "probation" (it serves, the one
before does too); "serving"; "leaving" (its connections end); "waiting" (it has crashed, and will be started again).

Exit code: 0; 1 nobody answers, stderr says why and what to do ("outcome" is then "refused" or "unknown");
64 the command line is wrong.
`,
  async run(args) {
    const { name, address, json, timeoutMs } = parseTarget(args);
    const result = await ask({ address, command: 'status', name, timeoutMs });
    if (result.outcome !== 'status') return otherAnswer('status', result, json);
    if (json) printJson(result);
    else process.stdout.write(statusText(result.status));
    return EXIT.ok;
  },
};

function statusText(service: ServiceStatus): string {
  const { listeners, pool } = service;
  const rows = listeners.map(({ name, address, inherited, connections }) => [
    name,
    address,
    pool === undefined ? (inherited ? 'inherited' : 'bound') : undefined,
    pool === undefined ? String(connections) : undefined, // the workers have them
  ]);
  const table = formatTable(['LISTENER', 'ADDRESS', 'FROM', 'CONNECTIONS'], rows);
  const parts = [
    service.name,
    '',
    processTable(service),
    ...(pool === undefined ? [] : [poolText(pool)]),
    listeners.length > 0 ? table : 'no listeners\n',
  ];
  return parts.join('\n') + failureText(service);
}

/** Its workers, and what is remarkable about them. */
function poolText(pool: PoolStatus): string {
  const remarks = [rollLine(pool), ...crashLines(pool)].filter((line) => line !== undefined);
  return workerTable(pool) + remarks.map((line) => `${line}\n`).join('');
}

/** Of the workers of a pool; else it is of the process that holds them. */
const ROLL_CODES = ['ERR_POOL_WORKER', 'ERR_POOL_ABORTED'];

/** '' if none is known. */
export function failureText({ lastFailure, pool }: Pick<ServiceStatus, 'lastFailure' | 'pool'>): string {
  if (lastFailure === undefined) return '';
  const { code, reason, agoMs } = lastFailure;
  const ofPool = ROLL_CODES.includes(code) ? 'A roll' : 'A takeover';
  const what = pool === undefined ? 'An upgrade' : ofPool;
  return `\n${what} failed ${formatMs(agoMs)} ago: ${reason} (${code})\n`;
}

/** The newest first. */
function processTable({ generations }: ServiceStatus): string {
  const rows = generations.map(({ generation, pid, state, ageMs, connections, rssBytes }) => [
    String(generation),
    String(pid),
    state,
    ageMs === undefined ? undefined : formatMs(ageMs),
    connections === undefined ? undefined : String(connections),
    rssBytes === undefined ? undefined : formatBytes(rssBytes),
  ]);
  return formatTable(['GENERATION', 'PID', 'STATE', 'AGE', 'CONNECTIONS', 'MEMORY'], rows);
}
