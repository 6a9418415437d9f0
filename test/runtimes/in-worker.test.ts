// The short form of the worker cells of the matrix: the sockets' own tests pass in a worker thread, too.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { start } from '../helpers/child';

const compiled = path.join(__dirname, '..');
const runner = path.join(compiled, '../../scripts/lib/matrix/in-worker.mjs');

const FILES = [
  'fd/adopt',
  'fd/adopt-stream',
  'fd/fd',
  'fd/lend',
  'sockets/close',
  'sockets/connect-unix',
  'sockets/datagram',
  'sockets/descriptors',
  'sockets/messages',
  'sockets/receive',
  'sockets/seqpacket-server',
  'sockets/stream',
  'sockets/stream-fds',
];

for (const file of FILES) {
  test(`${file} passes in a worker thread`, async (t) => {
    const args = ['--expose-gc', '--test-reporter=tap', runner, path.join(compiled, `${file}.test.js`)];
    const { code, stdout, stderr } = await start(t, process.execPath, args).ended;
    const failures = stdout.split('\n').filter((line) => /^\s*not ok/.test(line));
    assert.deepEqual(failures, []);
    assert.equal(code, 0, stdout + stderr);
    assert.ok(Number(/^# pass (\d+)$/m.exec(stdout)?.[1]) > 0, stdout + stderr);
  });
}
