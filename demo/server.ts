/** Owns the server that the demo restarts. An ordinary program but for the lines with `handoff`. */
import * as http from 'node:http';
import { createHandoff } from 'fdpass';
import { answersOf } from './answers';

const { DEMO_ADDRESS, DEMO_CRASH, DEMO_PROBATION_MS } = process.env;
/** Short, so that the demo does not take long. The package's own default is 10 seconds. */
const kProbationMs = Number(DEMO_PROBATION_MS ?? 200);

async function main(): Promise<void> {
  const handoff = await createHandoff({
    name: 'fdpass-demo',
    ...(DEMO_ADDRESS === undefined ? {} : { address: DEMO_ADDRESS }),
    timeouts: { drain: 5000 },
    probation: { ms: kProbationMs, interval: 50, health: () => DEMO_CRASH !== 'on probation' },
  });
  const { generation } = handoff;
  const { pid } = process;
  if (DEMO_CRASH === 'while it boots')
    throw new Error(`DEMO_CRASH is set: generation ${generation} breaks ${DEMO_CRASH}`);

  const server = http.createServer(answersOf(generation));
  await handoff.listen('http', server, { host: '127.0.0.1', port: 0 });
  await handoff.ready();

  handoff.on('superseded', (receipt) => say({ event: 'superseded', receipt }));
  process.on('SIGUSR2', () => upgrade({}));
  process.on('SIGHUP', () => upgrade({ env: { DEMO_CRASH: 'while it boots' } }));
  process.on('SIGWINCH', () => upgrade({ env: { DEMO_CRASH: 'on probation' } }));
  process.on('SIGTERM', () => void handoff.close());
  process.on('exit', (code) => say({ event: 'exit', generation, pid, code }));
  say({ event: 'ready', generation, pid, port: portOf(server) }); // whoever hears it may send a signal at once

  function upgrade(options: { env?: Record<string, string> }): void {
    handoff.upgrade(options).catch((error) => {
      const { code, message, stderr } = error;
      say({ event: 'upgrade-failed', pid, code, message, stderr, state: handoff.status().state });
    });
  }
}

function portOf(server: http.Server): number | undefined {
  const address = server.address();
  return typeof address === 'object' ? address?.port : undefined;
}

/** One JSON line per event. Every generation shares this stdout. */
function say(event: object): void {
  process.stdout.write(`${JSON.stringify(event)}\n`);
}

void main();
