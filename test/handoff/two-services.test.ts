// A process may have part in several services: what is meant for one of them does not touch the others.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { connectUnix } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { type Child, start } from '../helpers/child';
import { within } from '../helpers/stage';

const fixture = path.join(__dirname, '../fixtures/two-services.js');

function begin(t: TestContext, prefix: string, ...args: string[]): Child {
  return start(t, process.execPath, [fixture, prefix, ...args]);
}

/** What each child has said: two processes write, and who is first is nobody's promise. */
const said = new WeakMap<Child, string[]>();

async function hears(child: Child, pattern: RegExp): Promise<RegExpExecArray> {
  const lines = said.get(child) ?? [];
  said.set(child, lines);
  return await within(String(pattern), async () => {
    for (let index = 0; ; index++) {
      if (index === lines.length) lines.push(await child.line());
      const found = pattern.exec(lines[index] as string);
      if (found !== null) return found;
    }
  });
}

async function ask(address: string): Promise<number> {
  const socket = await connectUnix(address);
  const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
    http.get({ createConnection: () => socket }, resolve).once('error', reject);
  });
  let text = '';
  for await (const chunk of response) text += chunk;
  return Number(text);
}

test('upgrade() of one service is for that one, though its program asks for another one first', async (t) => {
  const prefix = freshName();
  const child = begin(t, prefix);
  await hears(child, /^ready 1 1/);
  child.process.kill('SIGUSR2');
  const [, second] = await hears(child, /^ready 2 2 (\d+)/);
  t.after(() => process.kill(Number(second), 'SIGTERM'));
  assert.equal(await ask(`@${prefix}-a-web`), Number(second));
  assert.equal(await ask(`@${prefix}-b-web`), Number(second));
});

test('a process that was superseded in one service goes on with the other', async (t) => {
  const prefix = freshName();
  const child = begin(t, prefix, 'next is only a');
  const first = child.process.pid as number;
  await hears(child, /^ready 1 1/);
  child.process.kill('SIGUSR2');
  const [, second] = await hears(child, /^ready undefined 2 (\d+)/);
  t.after(() => process.kill(Number(second), 'SIGTERM'));
  await hears(child, new RegExp(`^upgraded to ${second} ${first}`));
  assert.equal(await ask(`@${prefix}-a-web`), Number(second));
  // Longer than its timeouts.exit.
  const end = Date.now() + 300;
  while (Date.now() < end) assert.equal(await ask(`@${prefix}-b-web`), first);
  const exit = once(child.process, 'exit');
  child.process.kill('SIGTERM');
  assert.deepEqual(await within('its end', () => exit), [0, null]);
});
