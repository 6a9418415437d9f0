// The programs of docs/pool.md and docs/from-cluster-and-pm2.md: what a reader copies runs, with the README's server in it.
import assert from 'node:assert/strict';
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { start } from '../helpers/child';
import { freePort } from '../helpers/free-port';
import { tmpDir } from '../helpers/tmp-dir';

const root = path.dirname(require.resolve('fdpass/package.json'));

/** The program of that document which has these words. */
function programOf(document: string, words: string): string {
  const text = readFileSync(path.join(root, document), 'utf8');
  const programs = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program]) => program as string);
  const [found, ...more] = programs.filter((program) => program.includes(words));
  assert.ok(found !== undefined && more.length === 0, words);
  return found;
}

function change(text: string, from: string, to: string): string {
  assert.ok(text.includes(from), from);
  return text.replace(from, to);
}

/** A folder in which fdpass is installed. */
function project(t: TestContext, files: Record<string, string>): string {
  const folder = tmpDir(t);
  mkdirSync(path.join(folder, 'node_modules'));
  symlinkSync(root, path.join(folder, 'node_modules/fdpass'));
  for (const [name, text] of Object.entries(files)) writeFileSync(path.join(folder, name), text);
  return folder;
}

/** Asks until the answer is of that generation. */
async function answered(port: number, generation: number): Promise<void> {
  for (;;) {
    const answer = await new Promise<string>((resolve) => {
      http
        .get({ port, host: '127.0.0.1', agent: false }, async (response) => {
          let body = '';
          for await (const piece of response) body += piece;
          resolve(body);
        })
        .on('error', () => resolve('')); // nobody listens yet; the test's own time limit bounds this
    });
    if (answer.startsWith(`generation ${generation},`)) return;
    await sleep(10);
  }
}

test("the pool of docs/pool.md serves with the README's server, rolls on SIGHUP and ends on SIGTERM", async (t) => {
  const pool = programOf('docs/pool.md', "process.on('SIGHUP'");
  const cwd = project(t, {
    'server.mjs': programOf('README.md', 'createHandoff('),
    'pool.mjs': change(pool, "name: 'shop',", "name: 'shop', address: './control', orphans: 'drain',"),
  });
  const port = await freePort();
  const env = { ...process.env, PORT: String(port) };
  const primary = start(t, process.execPath, ['pool.mjs'], { cwd, env });
  await answered(port, 1);
  while (primary.process.exitCode === null && !hasHandler(primary.process.pid as number)) await sleep(10);
  primary.process.kill('SIGHUP');
  await answered(port, 2);
  primary.process.kill('SIGTERM');
  const { code, signal, stderr } = await primary.ended;
  assert.deepEqual({ code, signal }, { code: 0, signal: null }, stderr);
});

/** SIGHUP is caught. proc(5), SigCgt */
function hasHandler(pid: number): boolean {
  const [, mask = '0'] = /^SigCgt:\s*(\w+)$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8')) ?? [];
  return (BigInt(`0x${mask}`) & 1n) === 1n; // signal 1 is bit 0
}

for (const [document, words, name] of [
  ['docs/from-cluster-and-pm2.md', "require('fdpass/pool')", "name: 'shop',"],
  ['docs/pool.md', 'const starting = createPool({ exec', ''],
] as const) {
  test(`the pool of ${document} has workers of a program that knows nothing of it, and ends with them`, async (t) => {
    const pool = change(programOf(document, words), `{ ${name}`, '{ workers: 1, ').replace(
      /^const .*require.*$/m,
      '',
    );
    const cwd = project(t, {
      'server.js': "require('node:http').createServer().listen(0, '127.0.0.1');",
      'pool.js': `const { createPool } = require('fdpass/pool');
        ${pool}
        starting.then((pool) => console.log(pool.status().listeners.length));`,
    });
    const primary = start(t, process.execPath, ['pool.js'], { cwd });
    assert.equal(await primary.line(), '1');
    primary.process.kill('SIGTERM');
    const { code, signal, stderr } = await primary.ended;
    assert.deepEqual({ code, signal, stderr }, { code: 0, signal: null, stderr: '' });
  });
}
