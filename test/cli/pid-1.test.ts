// `fdpass run` as PID 1 of a PID namespace, as it is in a container. pid_namespaces(7)
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import test from 'node:test';
import { freePort } from '../helpers/free-port';
import { ask, type Run, startRun, until } from '../helpers/run-pool';
import { within } from '../helpers/stage';

const NEW_NAMESPACE = ['unshare', '--pid', '--fork', '--kill-child', '--mount-proc'];
const server = path.join(__dirname, '../fixtures/orphan-server.js');

const inContainer = { skip: whyNot() };

function whyNot(): string | false {
  const { status, error, stderr } = spawnSync('unshare', [...NEW_NAMESPACE.slice(1), 'true'], {
    encoding: 'utf8',
  });
  return status !== 0 && `needs a PID namespace of its own: ${error?.message ?? stderr.trim()}`;
}

/** Of PID 1, as this process sees it. */
function pidOf({ process: unshare }: Run): number {
  return Number(readFileSync(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'latin1'));
}

interface Inhabitant {
  parent: number;
  state: string;
}

/** Its processes, by their pids in there. */
function inhabitants(pid1: number): Map<number, Inhabitant> {
  const proc = `/proc/${pid1}/root/proc`;
  const found = new Map<number, Inhabitant>();
  for (const pid of readdirSync(proc).map(Number).filter(Number.isInteger)) {
    // "pid (name) state ppid ..."; proc_pid_stat(5)
    const stat = readStat(`${proc}/${pid}/stat`);
    const [state = '', parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    if (stat !== '') found.set(pid, { state, parent: Number(parent) });
  }
  return found;
}

function readStat(file: string): string {
  try {
    return readFileSync(file, 'latin1');
  } catch {
    return ''; // it has gone
  }
}

function zombies(pid1: number): number {
  return [...inhabitants(pid1).values()].filter(({ state }) => state === 'Z').length;
}

async function serve(t: test.TestContext): Promise<{ run: Run; port: number; pid1: number }> {
  const port = await freePort();
  const run = startRun(t, {
    by: NEW_NAMESPACE,
    options: ['-i', '2'],
    program: [process.execPath, server],
    env: { PORT: String(port) },
  });
  await run.says('2 workers serve\n');
  return { run, port, pid1: pidOf(run) };
}

test('PID 1 waits for orphans, rolls at SIGHUP, and leaves no zombie', inContainer, async (t) => {
  const { run, port, pid1 } = await serve(t);
  assert.deepEqual([...inhabitants(pid1).keys()].slice(0, 1), [1]);
  const orphans: number[] = [];
  for (let i = 0; i < 3; i++) orphans.push(Number(await ask({ port, path: '/orphan' })));
  for (const orphan of orphans) {
    const isOrphan = () => inhabitants(pid1).get(orphan)?.parent === 1;
    await until(`process ${orphan} to become an orphan`, isOrphan);
  }
  process.kill(pid1, 'SIGHUP');
  await run.says('2 workers were replaced in ');
  for (const orphan of orphans) await ask({ port, path: `/end/${orphan}` });
  await until('the end of the orphans', () => orphans.every((orphan) => !inhabitants(pid1).has(orphan)));
  await until('the zombies to be gone', () => zombies(pid1) === 0);
  process.kill(pid1, 'SIGTERM');
  const { code, signal } = await run.end();
  assert.deepEqual([code, signal], [0, null]);
});

test('SIGTERM to PID 1 lets a request come to its end, and the exit code is 0', inContainer, async (t) => {
  const { run, port, pid1 } = await serve(t);
  const request = http.request({ port, host: '127.0.0.1', method: 'POST', agent: false });
  request.write('half of it');
  const [socket] = await once(request, 'socket');
  if (socket.connecting) await once(socket, 'connect');
  await ask({ port }); // behind it in the queue: the half request is somebody's by now
  process.kill(pid1, 'SIGTERM');
  await run.says('SIGTERM: the workers let their connections end');
  request.end('the rest');
  const [response] = await within('the answer', () => once(request, 'response'));
  assert.match(await text(response), /^\d+$/);
  const { code, signal } = await run.end();
  assert.deepEqual([code, signal], [0, null]);
});

for (const [what, script, expected] of [
  ['that is killed before it serves', 'process.kill(process.pid, "SIGKILL")', 137],
  ['that aborts', 'process.abort()', 134],
  ['that exits', 'process.exit(7)', 7],
] as const) {
  test(`the exit code of PID 1 is ${expected} for a program ${what}`, inContainer, async (t) => {
    const program = [process.execPath, '-e', script];
    const { code, stderr } = await startRun(t, { by: NEW_NAMESPACE, options: ['-i', '2'], program }).end();
    assert.equal(code, expected, stderr);
  });
}
