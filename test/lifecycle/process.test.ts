// The end of a process that uses the addon: always by itself, with code 0 and without a signal.
import assert from 'node:assert/strict';
import test from 'node:test';
import { UnixDatagram } from 'fdpass';
import { startFixture } from '../helpers/child';
import { identity } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';

const scenarios = [
  ['load-only', 'loading the addon does not keep a process'],
  ['idle-sockets', 'open sockets that nobody reads do not keep a process'],
  ['exit-with-open-sockets', 'process.exit() with everything open and busy'],
  ['exit-at-once', 'process.exit() before the loop has turned once'],
  [
    'unref-ends-with-a-waiting-send',
    'an unref’d socket with a message for a full peer does not keep a process',
  ],
  ['unref-ends-in-a-flood', 'unref’d streams of which one floods the other do not keep a process'],
  ['exit-in-a-handler', 'process.exit() inside a message handler'],
  ['close-at-exit', 'closing while the process exits'],
  ['close-in-beforeExit', 'closing in beforeExit'],
  ['lost-sockets', 'sockets that were lost are closed by the collector, each with a warning'],
  ['lost-streams', 'streams that were lost are closed by the collector, each with a warning'],
  ['paused-stream', 'unref’d streams do not keep a process'],
  ['lost-messages', 'descriptors of lost messages are closed by the collector, each with a warning'],
] as const;

for (const [scenario, title] of scenarios) {
  test(title, async (t) => {
    const { code, signal, stdout, stderr } = await startFixture(t, 'life-cycle', [scenario], ['--expose-gc'])
      .ended;
    if (!scenario.startsWith('lost')) assert.equal(stderr, '');
    assert.equal(stdout, '');
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  });
}

test('unref’d sockets with listeners do not keep a process', async (t) => {
  const { code, signal, stdout } = await startFixture(t, 'life-cycle', ['unref-ends']).ended;
  assert.equal(stdout, 'ended by itself\n');
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('a ref’d socket with a listener keeps its process', async (t) => {
  const child = startFixture(t, 'life-cycle', ['ref-stays']);
  const sender = new UnixDatagram();
  closeAfter(t, sender);
  await sender.send('end', await child.line());
  const { code, signal } = await child.ended;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('process.exit() while worker threads are in the middle of traffic', async (t) => {
  const { code, signal, stderr } = await startFixture(t, 'exit-with-workers').ended;
  assert.equal(stderr, '');
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('a child that is spawned while sockets are open has none of them', async (t) => {
  const sockets = UnixDatagram.pair();
  closeAfter(t, ...sockets);
  const child = startFixture(t, 'list-sockets');
  const inherited = JSON.parse(await child.line()) as string[];
  for (const { fd } of sockets) assert.equal(inherited.includes(identity(fd)), false);
  assert.equal((await child.ended).code, 0);
});
