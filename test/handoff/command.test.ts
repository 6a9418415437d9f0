// Commands on the control socket: whoever gives them, rightly or wrongly, the service goes on and nobody loses the lease.
import assert from 'node:assert/strict';
import test from 'node:test';
import { encodeFrame } from '#fdpass/handoff/frame';
import { httpClient } from '../helpers/clients';
import { RawPeer } from '../helpers/raw-peer';
import { type Actor, portOf, Stage, web } from '../helpers/stage';

async function resultOf(stage: Stage, payload: Record<string, unknown>): Promise<Record<string, unknown>> {
  const peer = new RawPeer(stage.control);
  await peer.send('COMMAND', payload);
  const heard = await peer.hear();
  assert.equal(heard?.type, 'RESULT');
  assert.equal(await peer.hear(), null, 'one command for a connection');
  await peer.close();
  return heard.payload;
}

async function assertUnharmed(stage: Stage, holder: Actor, descriptors: number): Promise<void> {
  assert.equal(await holder.call('descriptors'), descriptors, 'descriptors leak');
  const successor = await stage.start();
  const client = httpClient({ port: portOf(holder) }, { keepAlive: false });
  assert.equal(await client.ask(), successor.pid);
}

test('a command that is unknown, or makes no sense, is refused and harms nothing', async (t) => {
  const stage = await Stage.open(t);
  const holder = await stage.start();
  const descriptors = await holder.call<number>('descriptors');
  const unknown = await resultOf(stage, { command: 'dance' });
  assert.equal(unknown['outcome'], 'refused');
  assert.match(String(unknown['reason']), /does not know the command dance/);
  for (const payload of [{}, { command: 5 }, { command: 'restart', name: 7 }]) {
    const { outcome, code } = await resultOf(stage, payload);
    assert.deepEqual([outcome, code], ['failed', 'ERR_HANDOFF_PROTOCOL']);
  }
  assert.equal((await resultOf(stage, { command: 'restart', name: 'other' }))['outcome'], 'refused');
  await assertUnharmed(stage, holder, descriptors);
});

for (const state of ['offer', 'fds', 'warm', 'ping', 'commit'] as const) {
  test(`a COMMAND of a successor in state ${state} is nonsense, and ends its transaction`, async (t) => {
    const stage = await Stage.open(t);
    const holder = await stage.start();
    const descriptors = await holder.call<number>('descriptors');
    const peer = new RawPeer(stage.control);
    await peer.advance(state);
    await peer.send('COMMAND', { command: 'status' });
    assert.equal((await peer.hear())?.type, 'NAK');
    assert.equal(await peer.hear(), null);
    await peer.close();
    await assertUnharmed(stage, holder, descriptors);
  });
}

test('status and restart take no lease from a takeover that is under way', async (t) => {
  const stage = await Stage.open(t);
  const holder = await stage.start();
  const successor = await stage.enter({ mode: 'manual' });
  await successor.event('warm');
  const busy = await resultOf(stage, { command: 'restart' });
  assert.deepEqual([busy['outcome'], busy['pid'], busy['state']], ['busy', successor.pid, 'warm']);
  const peer = new RawPeer(stage.control);
  await peer.send('COMMAND', { command: 'status' });
  assert.equal((await peer.hear())?.type, 'PROGRESS', 'the listeners');
  const heard = await peer.hear();
  const { status } = (heard?.payload ?? {}) as { status: { generations: { pid: number }[] } };
  const pids = status.generations.map(({ pid }) => pid);
  assert.deepEqual(pids, [successor.pid, holder.pid]);
  await peer.close();
  await successor.call('ready');
  assert.equal(await holder.exit(), 0);
});

const behind: Record<string, (peer: RawPeer) => Promise<void>> = {
  'another command': (peer) => peer.send('COMMAND', { command: 'abort' }),
  'a frame of a successor': (peer) => peer.send('HELLO', { versions: [1, 2], uptimeMs: 1 }),
  'random bytes': (peer) => peer.socket.send('not a frame'),
  'a wrong sequence number': ({ socket, txn }) =>
    socket.send(encodeFrame({ type: 'COMMAND', txn, sequence: 9, payload: { command: 'abort' } })),
};
for (const [what, say] of Object.entries(behind)) {
  test(`${what} behind a restart ends that connection, and not the restart`, async (t) => {
    const stage = await Stage.open(t);
    const holder = await stage.start();
    const peer = new RawPeer(stage.control);
    await peer.send('COMMAND', { command: 'restart' });
    const successor = await stage.next();
    await say(peer);
    for (;;) {
      const heard = await peer.hear();
      if (heard === null) break;
      assert.equal(heard.type, 'PROGRESS');
    }
    await peer.close();
    await successor.event('ready');
    assert.equal(await holder.exit(), 0);
  });
}

test('a client that goes away, in whatever moment, leaves nothing behind', async (t) => {
  const stage = await Stage.open(t);
  const holder = await stage.start();
  const descriptors = await holder.call<number>('descriptors');
  for (const command of ['status', 'abort', 'dance']) {
    const peer = new RawPeer(stage.control);
    await peer.send('COMMAND', { command });
    await peer.close();
  }
  await resultOf(stage, { command: 'dance' }); // accepted behind them
  await assertUnharmed(stage, holder, descriptors);
});

test('a service with many listeners with long addresses can be shown', async (t) => {
  const prefix = `@fdpass-command-${process.pid}-`;
  const listeners = Array.from({ length: 200 }, (_, i) =>
    // Each byte takes four in print, and five in JSON.
    web({ name: `listener-${i}`, kind: 'net', options: { path: `${prefix}${i}`.padEnd(100, '\x01') } }),
  );
  const stage = await Stage.open(t, { listeners });
  await stage.start();
  const peer = new RawPeer(stage.control);
  await peer.send('COMMAND', { command: 'status' });
  const names: string[] = [];
  for (;;) {
    const heard = await peer.hear();
    if (heard?.type !== 'PROGRESS') {
      assert.equal(heard?.type, 'RESULT');
      break;
    }
    names.push(...(heard.payload['listeners'] as { name: string }[]).map(({ name }) => name));
  }
  assert.deepEqual(
    names,
    listeners.map(({ name }) => name),
  );
  await peer.close();
});
