// The README's programs: what a reader copies runs as it stands.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, test } from 'node:test';
import { freePort } from '../helpers/free-port';

const root = path.dirname(require.resolve('fdpass/package.json'));
const programs = [...readFileSync(path.join(root, 'README.md'), 'utf8').matchAll(/```js\n([\s\S]*?)```/g)];

let folder: string;
before(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'fdpass-readme-'));
  symlinkSync(root, path.join(folder, 'fdpass'));
});
after(() => rmSync(folder, { recursive: true }));

/** Writes the nth program, with a name of its own instead of one that a real service may have. */
function program(index: number, ...changes: [RegExp, string][]): string {
  let text = programs[index]?.[1];
  assert.ok(text, `the README has no program ${index}`);
  for (const [from, to] of changes) {
    assert.match(text, from);
    text = text.replaceAll(new RegExp(from, 'g'), to);
  }
  const file = path.join(folder, `program-${index}.mjs`);
  writeFileSync(file, text);
  return file;
}

function get(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    http
      .get({ port, host: '127.0.0.1', agent: false }, (response) => {
        let body = '';
        response.on('data', (chunk) => {
          body += chunk;
        });
        response.on('end', () => resolve(body));
      })
      .on('error', reject);
  });
}

/** The process that answers, once one does. */
async function servingPid(port: number): Promise<{ generation: number; pid: number }> {
  for (;;) {
    try {
      const answer = /generation (\d+), process (\d+)/.exec(await get(port));
      return { generation: Number(answer?.[1]), pid: Number(answer?.[2]) };
    } catch {
      await new Promise(setImmediate); // nobody listens yet; the test's own time limit bounds this
    }
  }
}

test('the server of the README is replaced by being started once more', async () => {
  const file = program(
    0,
    [/'shop'/, "'shop', address: process.env.ADDRESS, probation: { ms: 100 }"],
    [/'fdpass'/, "'./fdpass/dist/index.js'"],
  );
  const port = await freePort();
  const env = { ...process.env, PORT: String(port), ADDRESS: path.join(folder, 'control') };
  const first = spawn(process.execPath, [file], { env, stdio: 'inherit' });
  const firstExit = once(first, 'exit');
  assert.deepEqual(await servingPid(port), { generation: 1, pid: first.pid });
  const second = spawn(process.execPath, [file], { env, stdio: 'inherit' });
  const secondExit = once(second, 'exit');
  assert.deepEqual(await firstExit, [0, null]);
  assert.deepEqual(await servingPid(port), { generation: 2, pid: second.pid });
  second.kill('SIGTERM');
  assert.deepEqual(await secondExit, [0, null]);
});

/** Whatever the program has not closed is a warning, and that an error. */
const lost = `data:text/javascript,process.on('beforeExit',()=>gc());process.on('warning',(w)=>{throw w})`;

test('the file of the README arrives, and nothing is left open', async () => {
  const file = program(
    1,
    [/'@inbox'/, `'@fdpass-readme-${process.pid}'`],
    [/'fdpass'/, "'./fdpass/dist/index.js'"],
  );
  const child = spawn(process.execPath, ['--expose-gc', '--import', lost, file], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk) => {
    output += chunk;
  });
  const [code] = await once(child, 'close');
  assert.equal(code, 0);
  assert.equal(output, `read this ${readFileSync(file).length} bytes\n`);
});
