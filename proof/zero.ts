/** `npm run zero`: restarts under the load of every kind of client, and 0 of their requests may fail. */
import type { RunResult } from '../demo/course';
import type { LoadReport } from '../demo/load-process';
import { count, milliseconds, renderTable } from '../demo/table';
import { judge } from '../demo/verdict';
import { compare } from './compare/compare';
import { ways } from './compare/subjects';
import { parseOptions } from './options';
import { installPackages } from './packages';
import { machine, type Run, runCommand, runUnderCrowd } from './stage';

const help = `npm run zero [-- options]

Replaces a live HTTP server again and again under 160 clients, none of which tries a second time: 20 busy ones on kept-alive
connections, 100 that think for up to 20 ms, 8 that connect for each request, 8 that POST 16 KB, 2 that pipeline 4 deep, and
8 each of http.Agent, fetch, undici and axios. Not one request may fail.

  --restarts N   how many (default 200)
  --quick        5 restarts, and only clients that come with Node
  --compare      then the same load against the rolling restart of node:cluster, PM2's reload, and SO_REUSEPORT
  --json         one JSON object on stdout, progress on stderr
  --help

undici, axios and PM2 are installed into proof/node_modules the first time; what cannot be installed is named and left out.
Exit code: 0 no request failed, every restart happened, every process drained; 1 otherwise; 2 the command line is wrong.
`;

const kDefaultRestarts = 200;
const kQuickRestarts = 5;

/** What no drain can do in bounded time, and how often it was met. */
const limits = ({ announced = 0, unannounced = 0 }: Partial<LoadReport['resent']> = {}): string[] => [
  'What no drain can bring to 0 in bounded time:',
  `- pipelined requests that the client has to ask again (RFC 9112, 9.3.2): ${announced} behind a "Connection: close",`,
  `  ${unannounced} behind an end of the connection that it met while it wrote, before it had read that;`,
  '- not in this load: a request that takes longer than timeouts.drain (30 s) is cut, and the receipt counts it; a client that',
  "  speaks in the very moment when Node's keepAliveTimeout ends its idle connection fails, restart or not.",
];

async function main(signal: AbortSignal): Promise<number> {
  const { restarts, switches } = parseOptions(
    process.argv.slice(2),
    process.argv.includes('--quick') ? kQuickRestarts : kDefaultRestarts,
    ['quick', 'compare'],
  );
  if (switches.has('help')) {
    process.stdout.write(help);
    return 0;
  }
  const json = switches.has('json');
  const write = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  const mix = switches.has('quick') ? 'built-in' : 'full';
  const failure = mix === 'full' || switches.has('compare') ? await installPackages(write) : undefined;
  if (failure !== undefined) write(`not all clients can be installed: ${failure}`);
  const run: Run = { restarts, mix, write, signal };
  const result = await runUnderCrowd(run, ways.fdpass.make);
  const faults = judge(result);
  write(`\n${summary(result)}\n`);
  for (const line of limits(result.load.resent)) write(line);
  for (const { what, lookAt } of faults) write(`FAILED  ${what}\n        look at: ${lookAt}`);
  const others = switches.has('compare') ? await compare(run, result) : undefined;
  if (others !== undefined) write(`\n${others.table}`);
  if (json) {
    const ok = faults.length === 0;
    const whole = { ok, machine: machine(), faults, fdpass: result, others: others?.results };
    process.stdout.write(`${JSON.stringify(whole, null, 2)}\n`);
  }
  return faults.length === 0 ? 0 : 1;
}

function summary({ load, restarts, wanted, exits }: RunResult): string {
  const clean = exits.filter(({ code }) => code === 0).length;
  const kinds = Object.entries(load.kinds).map(([kind, { requests, failed }]) => [
    kind,
    count(requests),
    count(failed),
  ]);
  return [
    renderTable(
      ['clients', 'requests', 'failed'],
      [...kinds, ['all', count(load.requests), count(load.failed)]],
    ),
    '',
    `restarts: ${restarts.length} of ${wanted}; processes that drained and exited with 0: ${clean} of ${exits.length}`,
    `p50 / p99 / longest within 1 s of a switch: ${milliseconds(load.nearSwitch.p50, load.nearSwitch.p99, load.nearSwitch.longest)}`,
    `longest time without an answer: ${milliseconds(load.longestGapMs)}`,
    ...(load.missing?.length ? [`not installed, and left out: ${load.missing.join(', ')}`] : []),
    machine(),
  ].join('\n');
}

runCommand('zero', main);
