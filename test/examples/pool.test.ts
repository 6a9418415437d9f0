// The example of a pool: its workers serve on one path, come back when they crash, and are replaced without a failed request.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import type { Child } from '../helpers/child';
import { tmpDir } from '../helpers/tmp-dir';
import { startExample, startServer, stop } from './example';

interface Answer {
  pid: number;
  generation: number;
}

function ask(socketPath: string): Promise<Answer> {
  return new Promise((resolve, reject) => {
    http
      .get({ socketPath, agent: false }, async (response) => {
        let body = '';
        for await (const piece of response.setEncoding('utf8')) body += piece;
        const [, pid, generation] = /^process (\d+), generation (\d+)\n$/.exec(body) ?? [];
        resolve({ pid: Number(pid), generation: Number(generation) });
      })
      .on('error', reject);
  });
}

/** The next line that it prints of that kind; others are skipped. */
async function told(program: Child, pattern: RegExp): Promise<RegExpExecArray> {
  for (;;) {
    const match = pattern.exec(await program.line());
    if (match !== null) return match;
  }
}

test('pool: a crashed worker comes back, and SIGHUP replaces all of them', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const primary = startExample(t, 'pool', [at]);
  await told(primary, /^the primary is process \d+; 2 workers serve on /);

  const { pid, generation } = await ask(at);
  assert.equal(generation, 1);
  process.kill(pid, 'SIGKILL');
  await told(primary, /was no good: it has ended with SIGKILL; a new one comes in 100 ms$/);
  await told(primary, /^process \d+: listening on /);
  assert.notEqual((await ask(at)).pid, pid);

  primary.process.kill('SIGHUP');
  await told(primary, /^2 workers were replaced$/);
  assert.notEqual((await ask(at)).generation, 1);
  await stop(primary);
});

test('pool-worker runs alone, and is replaced by being started once more', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const first = await startServer(t, 'pool-worker', [at]);
  assert.deepEqual(await ask(at), { pid: first.process.pid, generation: 1 });
  const second = await startServer(t, 'pool-worker', [at]);
  assert.deepEqual(await ask(at), { pid: second.process.pid, generation: 2 });
  await stop(first); // it stands by, until then
  await stop(second);
});
