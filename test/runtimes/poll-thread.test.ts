// The thread that brings readiness where libuv has none to give, under Node: the tests of the sockets and of their
// life cycle pass with it as they do without.
import assert from 'node:assert/strict';
import path from 'node:path';
import test from 'node:test';
import { start } from '../helpers/child';

const compiled = path.join(__dirname, '..');

/** Preloaded by NODE_OPTIONS: into the worker threads and the children of the tests, too. */
const env = {
  ...process.env,
  NODE_OPTIONS: `--require=${path.join(compiled, 'helpers/poll-thread.js')}`,
  NODE_TEST_CONTEXT: undefined,
};

const FILES = [
  'lifecycle/process',
  'lifecycle/reuse',
  'lifecycle/worker',
  'sockets/close',
  'sockets/datagram',
  'sockets/room',
  'sockets/seqpacket-server',
  'sockets/stream',
];

test('with the thread instead of libuv sockets work, close and end with their environment', async (t) => {
  const guard = path.join(compiled, 'helpers/fd-guard.js');
  const files = FILES.map((file) => path.join(compiled, `${file}.test.js`));
  const args = ['--test', '--test-reporter=tap', '--test-concurrency=2', '--test-timeout=60000'];
  const child = start(t, process.execPath, ['--expose-gc', `--require=${guard}`, ...args, ...files], { env });
  const { code, stdout } = await child.ended;
  const failures = stdout.split('\n').filter((line) => /^\s*not ok/.test(line));
  assert.deepEqual(failures, []);
  assert.equal(code, 0, stdout);
  assert.ok(Number(/^# pass (\d+)$/m.exec(stdout)?.[1]) > FILES.length, stdout);
});
