/** Owns the server that the demo restarts. An ordinary program but for the lines with `handoff`. */
import { createHash } from 'node:crypto';
import * as http from 'node:http';
import { createHandoff } from 'fdpass';

const { DEMO_ADDRESS, DEMO_CRASH } = process.env;

async function main(): Promise<void> {
  const handoff = await createHandoff({
    name: 'fdpass-demo',
    ...(DEMO_ADDRESS === undefined ? {} : { address: DEMO_ADDRESS }),
    timeouts: { drain: 5000 },
  });
  const { generation } = handoff;
  const { pid } = process;
  if (DEMO_CRASH !== undefined)
    throw new Error(`DEMO_CRASH is set: generation ${generation} breaks while it boots`);

  const server = http.createServer((request, response) => {
    response.setHeader('x-generation', generation);
    response.setHeader('x-pid', pid);
    if (request.method === 'GET') response.end(`generation ${generation}, process ${pid}\n`);
    else echo(request, response);
  });
  await handoff.listen('http', server, { host: '127.0.0.1', port: 0 });
  await handoff.ready();

  say({ event: 'ready', generation, pid, port: portOf(server) });
  handoff.on('superseded', (receipt) => say({ event: 'superseded', receipt }));
  process.on('SIGUSR2', () => upgrade({}));
  process.on('SIGHUP', () => upgrade({ env: { DEMO_CRASH: '1' } }));
  process.on('SIGTERM', () => void handoff.close());
  process.on('exit', (code) => say({ event: 'exit', generation, pid, code }));

  function upgrade(options: { env?: Record<string, string> }): void {
    handoff.upgrade(options).catch((error) => {
      say({ event: 'upgrade-failed', pid, code: error.code, message: error.message, stderr: error.stderr });
    });
  }
}

/** Answers with the length and the hash of what arrived, so that the client sees a lost or foreign byte. */
function echo(request: http.IncomingMessage, response: http.ServerResponse): void {
  const hash = createHash('sha256');
  let length = 0;
  request.on('data', (chunk: Buffer) => {
    hash.update(chunk);
    length += chunk.length;
  });
  request.on('end', () => response.end(`${length} ${hash.digest('hex')}\n`));
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
