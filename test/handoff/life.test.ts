// What /proc tells of another process, and what follows from it for a peer whose connection is over.
import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type Life, rememberProcess, seek } from '#fdpass/handoff/life';
import { TIMEOUTS } from '../helpers/machines';

async function until(life: () => Life, wanted: Life): Promise<void> {
  while (life() !== wanted) await nextTurn();
}

test('a process runs, is stopped, runs on, and is gone before it is reaped', {
  timeout: 20_000,
}, async () => {
  const child = spawn('/bin/cat', [], { stdio: ['pipe', 'ignore', 'ignore'] });
  await once(child, 'spawn');
  const life = rememberProcess(child.pid as number);
  assert.equal(life(), 'running');
  child.kill('SIGSTOP');
  await until(life, 'stopped');
  child.kill('SIGCONT');
  await until(life, 'running');
  child.kill('SIGKILL');
  // Synchronously: Node cannot reap it in between, so that what is seen is the zombie.
  const end = Date.now() + 10_000;
  while (life() !== 'gone') assert.ok(Date.now() < end, 'it is still there');
  await once(child, 'exit');
  assert.equal(life(), 'gone');
});

test('of no process, and of this very one, nothing is known', () => {
  for (const pid of [0, 2 ** 22 + 1, process.pid]) assert.equal(rememberProcess(pid)(), 'unknown');
});

test('a process that has no free descriptor still knows who runs, and what memory it has', () => {
  const [life, memory] = ['handoff/life', 'base/memory'].map((name) =>
    JSON.stringify(require.resolve(`#fdpass/${name}`)),
  );
  const script = `
    const lifeOf = require(${life}).rememberProcess(process.ppid);
    const { residentBytes } = require(${memory});
    try { for (;;) require('node:fs').openSync('/dev/null'); } catch {}
    console.log(lifeOf(), residentBytes() > 2 ** 20);`;
  const limited = ['-c', 'ulimit -n 60; exec "$@"', 'sh', process.execPath, '-e', script];
  const { stdout, stderr } = spawnSync('sh', limited, { encoding: 'utf8', timeout: 20_000 });
  assert.equal(stdout, 'running true\n', stderr);
});

/** Lets time pass at once; says what was found, and after how long. */
function search(...lives: Life[]): { fate: string | undefined; ms: number } {
  let fate: string | undefined;
  let elapsed = 0;
  const waiting: [number, () => void][] = [];
  const seam = {
    setTimer(ms: number, callback: () => void) {
      waiting.push([ms, callback]);
      return () => {};
    },
  };
  const lifeOf = (): Life => (lives.length > 1 ? (lives.shift() as Life) : (lives[0] as Life));
  seek(lifeOf, { seam, timeouts: { ...TIMEOUTS, commit: 2_000 } }, (found) => {
    fate = found;
  });
  for (let next = waiting.shift(); next !== undefined; next = waiting.shift()) {
    elapsed += next[0];
    next[1]();
  }
  return { fate, ms: elapsed };
}

test('a peer that dies is found at its death, one that cannot be seen counts as dead at once', () => {
  assert.deepEqual(search('gone'), { fate: 'dead', ms: 0 });
  assert.deepEqual(search('unknown'), { fate: 'dead', ms: 0 });
  assert.deepEqual(search('running', 'running', 'gone'), { fate: 'dead', ms: 40 });
});

test('a peer that still runs after timeouts.commit is alive, one that is stopped then is no help', () => {
  assert.deepEqual(search('running'), { fate: 'alive', ms: 2_000 });
  assert.deepEqual(search('stopped', 'stopped', 'running'), { fate: 'alive', ms: 2_000 });
  assert.deepEqual(search('stopped'), { fate: 'dead', ms: 2_000 });
});
