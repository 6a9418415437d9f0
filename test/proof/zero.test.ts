// The short form of `npm run zero`: a few restarts, and the clients that come with Node.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { start } from '../helpers/child';

const program = path.join(__dirname, '../../proof/zero.js');

interface Result {
  ok: boolean;
  faults: unknown[];
  fdpass: { restarts: unknown[]; load: { failed: number; kinds: Record<string, { requests: number }> } };
}

test('three restarts fail no request of any client', async (t) => {
  const { ended } = start(t, process.execPath, [program, '--quick', '--json', '--restarts', '3']);
  const { stdout, code } = await ended;
  const { ok, faults, fdpass } = JSON.parse(stdout) as Result;
  assert.deepEqual(faults, []);
  assert.deepEqual([ok, code, fdpass.restarts.length, fdpass.load.failed], [true, 0, 3, 0]);
  const { kinds } = fdpass.load;
  const idle = Object.keys(kinds).filter((kind) => (kinds[kind]?.requests ?? 0) < 50);
  assert.deepEqual(idle, [], 'some clients had nothing to ask: this tests too little');
  assert.equal(Object.keys(kinds).length, 7);
});

test('a wrong number of restarts is an error of the command line', async (t) => {
  const { code, stderr } = await start(t, process.execPath, [program, '--restarts', 'many']).ended;
  assert.equal(code, 2);
  assert.match(stderr, /whole number from 1 to/);
});
