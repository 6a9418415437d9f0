// What holds for every example: it is listed, explained, tested, leaves content and leaves nothing behind.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { freshName } from '../helpers/address-name';
import { tmpDir } from '../helpers/tmp-dir';
import { examplesFolder, startServer, stop } from './example';

const names = readdirSync(examplesFolder)
  .filter((file) => file.endsWith('.mjs'))
  .map((file) => path.basename(file, '.mjs'))
  .sort();

const sourceOf = (name: string): string => readFileSync(path.join(examplesFolder, `${name}.mjs`), 'utf8');

test('every example is in the table of the README, and nothing else is', () => {
  const table = readFileSync(path.join(examplesFolder, 'README.md'), 'utf8').matchAll(
    /^\| \[(\S+)\.mjs\]\((\S+)\.mjs\) \| [^|]+ \| `node examples\/(\S+)\.mjs( [^`]+)?` \|$/gm,
  );
  const rows = [...table].map((match) => match.slice(1, 4));
  assert.deepEqual(rows.map((row) => row[0]).sort(), names);
  for (const [shown, target, run] of rows) assert.deepEqual([target, run], [shown, shown]);
});

test('every example is run by a test of this folder', () => {
  const tests = readdirSync(__dirname)
    .filter((file) => file.endsWith('.test.js'))
    .map((file) => readFileSync(path.join(__dirname, file), 'utf8'))
    .join('\n');
  const untested = names.filter(
    (name) => !new RegExp(`start(Example|Server)\\)\\(t, '${name}'|'${name}\\.mjs'`).test(tests),
  );
  assert.deepEqual(untested, []);
});

test('every example says how to run it, what to try, and what to look out for in production', () => {
  for (const name of names) {
    const header = sourceOf(name).split('\nimport ')[0] ?? '';
    assert.ok(header.includes(`//   node examples/${name}.mjs`), `${name}: how to run it`);
    assert.match(header, /^\/\/ Try/m, name);
    assert.match(header, /^\/\/ In production: /m, name);
  }
});

/** Those that run until they are told to stop; the others end by themselves. */
const servers = names.filter((name) => sourceOf(name).includes("['SIGINT', 'SIGTERM']"));
/** Those that stop although a client is connected, and the name of their socket in the folder of the test. */
const streams: Record<string, string> = {
  'deadline-server': 's',
  'echo-server': 's',
  'http-server': 's',
  'json-rpc-server': 's',
  permissions: 'fdpass-public.sock',
  pool: 's',
  'pool-worker': 's',
  'stale-socket': 's',
  'tcp-fallback': 's',
};

for (const name of servers) {
  test(`${name} ends with 0 by SIGINT and by SIGTERM, and leaves no file`, async (t) => {
    await Promise.all([startAndStop(t, name, 'SIGINT'), startAndStop(t, name, 'SIGTERM')]);
  });
}

async function startAndStop(t: TestContext, name: string, signal: 'SIGINT' | 'SIGTERM'): Promise<void> {
  const folder = tmpDir(t);
  const special: Record<string, string> = { permissions: folder, 'abstract-socket': freshName() };
  const server = await startServer(t, name, [special[name] ?? path.join(folder, 's')]);
  const socket = streams[name];
  if (socket !== undefined) {
    const client = net.connect(path.join(folder, socket)).on('error', () => {}); // cut off
    t.after(() => void client.destroy());
    await once(client, 'connect');
  }
  await stop(server, signal);
  assert.deepEqual(readdirSync(folder), []);
}
