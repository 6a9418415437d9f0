// The pipes of workers outlive one side: the worker, or its primary.
import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { type Child, start } from '../helpers/child';
import { ask } from '../helpers/run-pool';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

/** What it hears of its workers it prints; it closes its pool when it reads something. */
function startPrimary(t: TestContext, options: object): Child {
  const script = `
    const { createPool } = require('fdpass/pool');
    const options = ${JSON.stringify(options)};
    createPool({ probationMs: 0, output: 'event', register: true, ...options }).then((pool) => {
      pool.on('output', (worker, stream, chunk) => process.stdout.write(chunk));
      const { workers, listeners } = pool.status();
      const pids = workers.map(({ pid }) => pid);
      console.log(JSON.stringify({ pids, port: Number(listeners[0].address.split(':').at(-1)) }));
      process.stdin.once('data', () => {
        process.stdin.destroy();
        void pool.close();
      });
    });`;
  return start(t, process.execPath, ['-e', script]);
}

function killLater(t: TestContext, pid: number): void {
  t.after(() => {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {} // it has ended
  });
}

test('a primary ends when its workers have, whoever else has their output open; their last lines are heard', async (t) => {
  const worker = `
    const { pid } = require('node:child_process').spawn('sleep', ['600'], { stdio: 'inherit' });
    require('node:net').createServer().listen(0, '127.0.0.1');
    setInterval(() => console.log('sleeper', pid), 10);
    process.on('exit', () => console.log('last line'));`;
  const primary = startPrimary(t, { workers: 1, command: [process.execPath, '-e', worker] });
  for (;;) {
    const line = await primary.line();
    const [what, pid] = line.split(' ');
    if (what === 'sleeper') {
      killLater(t, Number(pid));
      break;
    }
  }
  primary.write('close\n');
  const { code, stdout } = await within('the end of the primary', () => primary.ended);
  assert.equal(code, 0);
  assert.match(stdout, /^last line$/m);
});

test('workers that print all the time outlive a primary that is killed', async (t) => {
  const exec = path.join(__dirname, '..', 'fixtures', 'printing-worker.js');
  const address = path.join(tmpDir(t), 'control');
  const primary = startPrimary(t, { name: 'shop', address, workers: 4, exec, args: ['always'] });
  let line: string;
  do line = await primary.line();
  while (!line.startsWith('{'));
  const { pids, port } = JSON.parse(line) as { pids: number[]; port: number };
  for (const pid of pids) killLater(t, pid);
  primary.process.kill('SIGKILL');
  await primary.ended;
  const seen = new Set<number>();
  await within('an answer of each worker', async () => {
    while (seen.size < pids.length) seen.add(JSON.parse(await ask({ port })).pid);
  });
  assert.deepEqual([...seen].sort(), [...pids].sort());
});
