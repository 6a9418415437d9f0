// fdpass run: a program as a pool of workers, under a supervisor that stays in the foreground.
import { hasCode } from '../base/errors';
import { residentBytes } from '../base/memory';
import { SERVICE_VARIABLE, TXN_VARIABLE } from '../handoff/process';
import type { PoolReport } from '../pool/metrics';
import { Announcer } from './announcer';
import type { Command } from './command';
import { makePool, type PoolPlan } from './make-pool';
import { MetricsEndpoint } from './metrics-endpoint';
import { missingScript, problemOf } from './program';
import { reapOrphans } from './reaper';
import { readRunOptions } from './run-options';
import type { RunWorker } from './run-pool';
import { Supervisor } from './supervisor';

/** For what was written last to a reader that does not read, and for our own sockets to be closed. */
const FLUSH_MS = 1_000;

export const run: Command = {
  acts: true,
  help: `Run a server as a pool of workers, unchanged: they share its ports, and are replaced without losing a request.

  fdpass run [-i N|max] [options] -- node server.js [args]

  -i, --instances N   so many workers; default max: one for each processor
  --balance HOW       kernel: all accept from one queue. reuseport: a queue for each. least: the supervisor accepts, and
                      passes each connection to the worker with the fewest. sticky: to the same one for the same client
  --name NAME         of the service, for the other commands; default: as package.json says, else as the script
  --watch [PATHS]     replace the workers when sources change: JavaScript, TypeScript and JSON in these folders, or
                      these files; default the working directory without node_modules. The ports stay open
  --wait-ready        a worker is ready at process.send('ready'), not when it listens
  --metrics AT        for Prometheus: a port (of 127.0.0.1), host:port, a path, or @name; GET /metrics, /metrics.json,
                      /healthz
  --warm MS           what a new worker gets until it is ready; default 60000
  --probation MS      a new worker has to serve for so long before the old one goes; default 1000
  --drain MS          what a worker that leaves gives its connections to end; default 30000
  --threads           worker threads instead of processes
  --json              for scripts: each line of a worker, and of the supervisor, as an object
  --help              this text

  fdpass run -i 4 -- node server.js
  fdpass run -i 1 --watch src -- node src/server.js
  fdpass run --metrics 9100 --balance least -- node_modules/.bin/next start

In the workers server.listen() of net, http, https and http2 takes its socket from the supervisor, so that express,
fastify, koa, ws and their like need no change. A worker that leaves lets its connections end; WebSockets of ws are
closed with 1001. One that crashes is started again, after a pause that grows; clients wait in the queue meanwhile.
What a worker has started ends with it, unless it has a session of its own. What workers write comes with a prefix,
'shop/2.3 | text': worker 2, third generation.

The program is started itself, not by npm, npx or the like: those start it as a process that is no worker.

From elsewhere: fdpass status, restart, scale, logs, top, abort NAME.

Signals: HUP replaces the workers. TERM and INT let the connections end, within --drain, and end; a second one ends at
once. USR1, USR2, WINCH and CONT go to the workers that serve. As PID 1 of a container it waits for orphans, too.

Exit code:
  0     ended because it was asked to
  N     the program's own, if the first start failed; 128 + n if signal n ended it; 1 if it ended well and did not serve
  126   the program may not be run, or is a directory
  127   there is no such program
  64    the command line is wrong
`,
  async run(args) {
    const { plan, watch, json, metrics } = readRunOptions(args);
    const streams = { stdout: process.stdout, stderr: process.stderr };
    for (const stream of Object.values(streams)) neverBlock(stream);
    const announcer = new Announcer(plan.name, { json, env: process.env, streams });
    const program =
      plan.threads === undefined ? problemOf(plan.command[0] as string, process.env['PATH']) : undefined;
    const problem = program ?? missingScript(plan.command);
    if (problem !== undefined) {
      announcer.say('failed', problem.reason);
      return problem.exitCode;
    }
    const ends: (() => void | Promise<void>)[] = [];
    const tidyUp = async (): Promise<void> => {
      for (const end of ends.splice(0).reverse()) await end();
    };
    const supervisor = new Supervisor({
      name: plan.name,
      makePool: () => {
        const pool = makePool(plan);
        pool.once('superseded', () => endpoint?.close()); // the next one waits for the place
        pool.once('confirmed', () => endpoint?.own());
        return pool;
      },
      watch,
      announcer,
      signals: process,
      kill: signalGroup,
      tidy: endGroup,
      readiness: readinessOf(plan),
      exit: (code) => {
        exitSoon(code);
        void tidyUp().finally(() => process.exit(code));
      },
    });
    const report = (): PoolReport => {
      const { generation, ...told } = supervisor.report();
      return { name: plan.name, ...told, primary: primary(generation) };
    };
    const endpoint = metrics && new MetricsEndpoint(metrics, report);
    if (endpoint !== undefined) ends.push(() => endpoint.close());
    let code: number;
    try {
      if (takesOver(plan.name)) {
        const late = ({ message }: Error) =>
          announcer.say('metrics', `the metrics are not to be had yet: ${message}`);
        endpoint?.openLater({ late });
      } else await endpoint?.open();
      if (process.pid === 1) ends.push(reapOrphans());
      code = await supervisor.run();
    } finally {
      await tidyUp();
    }
    exitSoon(code);
    return code;
  },
};

function exitSoon(code: number): void {
  process.exitCode = code;
  setTimeout(() => process.exit(code), FLUSH_MS).unref();
}

/** It was started by the supervisor that it replaces. */
function takesOver(service: string): boolean {
  return process.env[SERVICE_VARIABLE] === service && process.env[TXN_VARIABLE] !== undefined;
}

function primary(generation: number): PoolReport['primary'] {
  const { user, system } = process.cpuUsage();
  return {
    pid: process.pid,
    generation,
    rssBytes: residentBytes(),
    cpuMs: (user + system) / 1_000,
    ageMs: process.uptime() * 1_000,
  };
}

/** A terminal that was stopped by Ctrl-S must not stop the pool: Node writes to one synchronously, unless it is told. */
function neverBlock(stream: NodeJS.WriteStream): void {
  const { _handle: handle } = stream as { _handle?: { setBlocking?(on: boolean): void } };
  if (stream.isTTY) handle?.setBlocking?.(false);
}

function readinessOf({ waitReady }: PoolPlan): string {
  return waitReady
    ? "its program calls process.send('ready'), as --wait-ready says"
    : 'its program listens: by server.listen(), in the first process of Node, not in one that this one starts';
}

/** Workers have a process group of their own; what they have started belongs to it. */
function signalGroup(pid: number, signal: NodeJS.Signals): void {
  const targets = signal === 'SIGKILL' ? [-pid, pid] : [pid];
  for (const target of targets) send(target, signal);
}

/** What has no session of its own is of no use without its worker, and would run beside the next one. */
function endGroup({ pid }: RunWorker): void {
  if (pid > 1 && pid !== process.pid) send(-pid, 'SIGTERM'); // a thread has our pid
}

function send(target: number, signal: NodeJS.Signals): void {
  try {
    process.kill(target, signal);
  } catch (error) {
    // It has ended, or there is no such group; or it runs as somebody else by now.
    if (!hasCode(error, 'ESRCH', 'EPERM')) throw error;
  }
}
