// `npm run matrix`: what it makes of the outcome of a file, and of one that does not end.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import { tmpDir } from '../helpers/tmp-dir';

const folder = path.join(path.dirname(require.resolve('fdpass/package.json')), 'scripts/lib/matrix');
const ours = (name: string): string => JSON.stringify(pathToFileURL(path.join(folder, name)).href);

/** What the expression comes to in a process of its own, where `judge` and `underNode` are the matrix's own. */
function resultOf<T>(expression: string): T {
  const program = `
    import { judge } from ${ours('judge.mjs')};
    import { underNode } from ${ours('run-file.mjs')};
    const { output, ...value } = await (${expression});
    console.log(JSON.stringify(value));`;
  const { NODE_TEST_CONTEXT: _, ...env } = process.env;
  const args = ['--input-type=module', '-e', program];
  const { stdout, stderr } = spawnSync(process.execPath, args, { env, encoding: 'utf8', timeout: 30_000 });
  assert.notEqual(stdout, '', stderr);
  return JSON.parse(stdout);
}

function judged(outcome: { failed: string[]; problem?: string }, cell = 'emulated'): unknown {
  const known = [{ cells: ['emulated'], file: 'a/file', titles: ['one', 'two'], reason: 'why' }];
  return resultOf(`judge(${JSON.stringify(known)}, '${cell}', 'a/file', ${JSON.stringify(outcome)})`);
}

test('a failure is known by its cell, its file and its title, and another one is news', () => {
  const reasons = ['one', 'two'].map((title) => ({ title, reason: 'why' }));
  assert.deepEqual(judged({ failed: ['one', 'two', 'three'] }), {
    failed: ['three'],
    known: reasons,
    stale: [],
  });
  assert.deepEqual(judged({ failed: ['one'] }, 'emulated-more'), { failed: ['one'], known: [], stale: [] });
});

test('a known failure that did not fail is told, unless the file has broken off', () => {
  const reasons = [{ title: 'one', reason: 'why' }];
  assert.deepEqual(judged({ failed: ['one'] }), { failed: [], known: reasons, stale: ['two'] });
  assert.deepEqual(judged({ failed: ['one'], problem: 'SIGSEGV' }), {
    failed: ['SIGSEGV'],
    known: reasons,
    stale: [],
  });
});

function outcomeOf(t: test.TestContext, body: string, seconds: number): Record<string, unknown> {
  const file = path.join(tmpDir(t), 'one.test.cjs');
  writeFileSync(file, `const test = require('node:test');\n${body}`);
  const signal = 'new AbortController().signal';
  const options = `{ env: process.env, seconds: ${seconds}, signal: ${signal} }`;
  return resultOf(`underNode(process.execPath, ${JSON.stringify(file)}, ${options})`);
}

test('passed, failed and skipped tests are counted, and a failure has its title', (t) => {
  const body = `test('good', () => {}); test('bad: a#b', () => { throw 1; }); test.skip('not here', () => {});`;
  assert.deepEqual(outcomeOf(t, body, 60), { passed: 1, skipped: 1, failed: ['bad: a#b'] });
});

test('a file that leaves a descriptor open has failed, and so has one that runs nothing', (t) => {
  const leak = `test('leaks', () => { require('node:fs').openSync(__filename); });`;
  assert.equal(outcomeOf(t, leak, 60)['problem'], 'exit code 1');
  assert.equal(outcomeOf(t, 'process.exit(0);', 60)['problem'], 'no test has run');
});

// Had one of them outlived it, its end of the pipe would keep the outcome back.
test('a file that does not end is ended, with the processes that it has started', (t) => {
  const body = `
    const { spawn } = require('node:child_process');
    test('waits', async () => {
      spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)'], { stdio: 'inherit' });
      await new Promise(() => {});
    });`;
  assert.equal(outcomeOf(t, body, 1)['problem'], 'not ended after 1 s');
});
