// Ended children that nobody waits for: those of PID 1.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import path from 'node:path';
import test from 'node:test';
import { promisify } from 'node:util';

test('ended children that libuv does not know are reaped, and its own are left to it', async () => {
  const fixture = path.join(__dirname, '../fixtures/reap-orphans.js');
  // Jobs of a shell without job control: they stay children of the process that it becomes.
  const script = 'true & true & exec "$0" "$1"';
  const { stdout } = await promisify(execFile)('sh', ['-c', script, process.execPath, fixture]);
  assert.deepEqual(JSON.parse(stdout), { reaped: 2, own: 3, left: 0 });
});
