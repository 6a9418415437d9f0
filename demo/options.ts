/** Owns the command line of the demo: its options, their limits, the help, and what a wrong one is answered. */
import { parseArgs } from 'node:util';

export interface DemoOptions {
  readonly help: boolean;
  readonly json: boolean;
  readonly naive: boolean;
  readonly restarts: number;
  readonly connections: number;
}

/** The command line is wrong: exit code 2, no stack. */
export class UsageError extends Error {}

const kMaxRestarts = 1000;
/** Below 4 one of the three kinds of load would have no connection. */
const kMinConnections = 4;
const kMaxConnections = 512;

export const kHelp = `Restart a live HTTP server again and again under load, and count the requests that fail.

  npm run demo [-- options]

  --restarts N      how many replacements (default 10)
  --connections N   how many clients at once (default 16): half of them GET on kept-alive connections,
                    a quarter GET on a new connection for each request, a quarter POST 16 KiB
  --naive           then the same with server.close() and a new bind of the port, side by side
  --json            one JSON object on stdout at the end; progress goes to stderr
  --help            this text

What happens: demo/server.ts starts and demo/load.ts sends requests, without a single retry. Then the server is
replaced N times, alternately by the server itself (SIGUSR2: handoff.upgrade()) and by just starting another
"node server.js" that no server knows of. Each new one is on probation for 0.2 s (the package's default is 10 s) before the
old one goes. In the middle a successor crashes while it boots: the old one has to serve on; and one fails its health
check when it serves already: the old one has to take over again. At the end every old process has to be gone, and every generation must have answered requests.

Figures: "near a switch" is every request under way within one second before or after one; "start to ready" is the
boot of the new process, during which the old one serves; "ready to old stopped" is the switch itself.

Exit code: 0 no request failed and every restart happened; 1 otherwise, and the last lines say where to look;
2 the command line is wrong. The naive column is only shown, it fails nothing.
`;

export function parseOptions(args: readonly string[]): DemoOptions {
  const { values } = parse(args);
  return {
    help: values.help ?? false,
    json: values.json ?? false,
    naive: values.naive ?? false,
    restarts: integer('--restarts', values.restarts, { fallback: 10, min: 1, max: kMaxRestarts }),
    connections: integer('--connections', values.connections, {
      fallback: 16,
      min: kMinConnections,
      max: kMaxConnections,
    }),
  };
}

function parse(args: readonly string[]) {
  try {
    return parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        json: { type: 'boolean' },
        naive: { type: 'boolean' },
        restarts: { type: 'string' },
        connections: { type: 'string' },
      },
    });
  } catch (cause) {
    throw new UsageError(cause instanceof Error ? cause.message : String(cause), { cause });
  }
}

function integer(
  name: string,
  text: string | undefined,
  range: { fallback: number; min: number; max: number },
): number {
  if (text === undefined) return range.fallback;
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  if (value >= range.min && value <= range.max) return value;
  throw new UsageError(`${name} takes a whole number from ${range.min} to ${range.max}, not '${text}'`);
}
