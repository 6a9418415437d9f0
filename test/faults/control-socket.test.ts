// The control socket under attack and in bad luck: the service goes on, nothing leaks, and the next upgrade works.
import assert from 'node:assert/strict';
import { chmodSync, mkdirSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Fd } from 'fdpass';
import { encodeFrame, MAX_FRAME_BYTES } from '#fdpass/handoff/frame';
import { httpClient } from '../helpers/clients';
import { asNobody, NOBODY } from '../helpers/nobody';
import { RawPeer } from '../helpers/raw-peer';
import { type Actor, type Failure, portOf, type Script, Stage, web } from '../helpers/stage';

async function answerOf(actor: Actor): Promise<number> {
  return await httpClient({ port: portOf(actor) }, { keepAlive: false }).ask();
}

async function failureOf(actor: Actor): Promise<Failure> {
  return ((await actor.event('failed')) as unknown as { error: Failure }).error;
}

/** Serves on as if nothing had been, and can be replaced. */
async function assertUnharmed(stage: Stage, holder: Actor, descriptors: number): Promise<void> {
  assert.equal(await holder.call('descriptors'), descriptors, 'descriptors leak');
  assert.equal(await answerOf(holder), holder.pid);
  const successor = await stage.start();
  assert.equal(await answerOf(holder), successor.pid);
}

type Attack = (peer: RawPeer) => Promise<void>;

const attacks: Record<string, Attack> = {
  'random bytes': (peer) => peer.socket.send(Buffer.from('not a frame at all')),
  'an empty message': (peer) => peer.socket.send(Buffer.alloc(0)),
  'a message that is too long': (peer) => peer.socket.send(Buffer.alloc(MAX_FRAME_BYTES + 1)),
  'a frame that does not belong here': (peer) => peer.send('BYE', {}),
  'a payload of the wrong shape': (peer) => peer.send('HELLO', { versions: 'all of them' }),
  'a wrong sequence number': async (peer) => {
    peer.sequence += 5;
    await peer.send('READY');
  },
  'a frame of another transaction': async ({ socket, sequence }) => {
    const frame = encodeFrame({ type: 'READY', txn: 'f'.repeat(32), sequence, payload: {} });
    await socket.send(frame);
  },
  'descriptors that nobody asked for': async (peer) => {
    const fd = Fd.dup(0);
    try {
      await peer.send('READY', {}, [fd]);
    } catch (error) {
      // From Linux 6.16 on the kernel refuses them on our side already.
      assert.equal((error as NodeJS.ErrnoException).code, 'EPERM');
      await peer.send('BYE');
    } finally {
      fd.close();
    }
  },
};

for (const [what, attack] of Object.entries(attacks)) {
  test(`${what} on the control socket, in any state, end that connection and harm nothing`, async (t) => {
    const stage = await Stage.open(t);
    const holder = await stage.start();
    const descriptors = await holder.call<number>('descriptors');
    for (const state of ['hello', 'offer', 'fds', 'warm', 'ping', 'commit'] as const) {
      const peer = new RawPeer(stage.control);
      if (state !== 'hello') await peer.advance(state);
      await attack(peer);
      let heard = await peer.hear();
      // A first frame that makes no sense has no transaction that an answer could be for.
      if (heard !== null) {
        assert.equal(heard.type, 'NAK', `in state ${state}`);
        assert.equal(typeof heard.payload['reason'], 'string');
        heard = await peer.hear();
      } else assert.equal(state, 'hello', 'closed without a reason');
      assert.equal(heard, null, `the connection stays open in state ${state}`);
      await peer.close();
    }
    await assertUnharmed(stage, holder, descriptors);
  });
}

test('peers that go away in the middle, in any state, free the lease and leak nothing', async (t) => {
  const stage = await Stage.open(t);
  const holder = await stage.start();
  const descriptors = await holder.call<number>('descriptors');
  const states = ['offer', 'fds', 'warm', 'ping', 'commit'] as const;
  for (const [i, state] of states.entries()) {
    const peer = new RawPeer(stage.control);
    await peer.advance(state);
    await peer.close();
    await holder.event('aborted', () => holder.reports.filter(({ event }) => event === 'aborted').length > i);
  }
  await assertUnharmed(stage, holder, descriptors);
});

for (const [state, timeouts] of [
  ['hello', { hello: 150 }],
  ['offer', { fds: 150 }],
  ['fds', { fds: 150 }],
  ['warm', { warm: 150 }],
  ['ping', { ping: 150 }],
  ['commit', { commit: 150 }],
] as const) {
  test(`a peer that falls silent in state ${state} is sent away after its deadline`, async (t) => {
    const stage = await Stage.open(t, { timeouts });
    const holder = await stage.start();
    const descriptors = await holder.call<number>('descriptors');
    const peer = new RawPeer(stage.control);
    if (state !== 'hello') {
      await peer.advance(state);
      assert.equal((await peer.hear())?.type, 'NAK');
    }
    assert.equal(await peer.hear(), null);
    await peer.close();
    assert.equal(await holder.call('descriptors'), descriptors);
    assert.equal(await answerOf(holder), holder.pid);
    await stage.start({ timeouts: {} });
  });
}

test('a successor from the future is refused with our range of versions', async (t) => {
  const stage = await Stage.open(t);
  const holder = await stage.start();
  const peer = new RawPeer(stage.control);
  await peer.send('HELLO', { versions: [7, 9], uptimeMs: 1 });
  const heard = await peer.hear();
  assert.equal(heard?.type, 'REFUSED');
  assert.deepEqual(heard.payload['versions'], [1, 2]);
  assert.equal(await peer.hear(), null);
  await peer.close();
  assert.equal(await answerOf(holder), holder.pid);
});

test('fields that we do not know are ignored', async (t) => {
  const stage = await Stage.open(t);
  await stage.start();
  const peer = new RawPeer(stage.control);
  await peer.send('HELLO', { versions: [1, 3], uptimeMs: 1, colour: 'green' });
  const heard = await peer.hear();
  assert.equal(heard?.type, 'OFFER');
  assert.equal(heard.payload['version'], 2);
  await peer.close();
});

test('thirty silent connections do not block an upgrade and are closed in the end', async (t) => {
  const stage = await Stage.open(t, { timeouts: { hello: 6000 } });
  const holder = await stage.start();
  const peers: RawPeer[] = [];
  for (let i = 0; i < 30; i++) {
    peers.push(new RawPeer(stage.control));
    await holder.call('status'); // lets it accept, so that the backlog does not fill
  }
  const second = await stage.start();
  const { receipt } = (await holder.event('superseded')) as unknown as {
    receipt: { startToReadyMs: number };
  };
  assert.ok(receipt.startToReadyMs < 3000, 'the successor had to wait until the silent ones were gone');
  for (const peer of peers) {
    while ((await peer.hear()) !== null);
    await peer.close();
  }
  assert.equal(await answerOf(second), second.pid);
});

test('silent connections are closed after timeouts.hello', async (t) => {
  const stage = await Stage.open(t, { timeouts: { hello: 200 } });
  const holder = await stage.start();
  const descriptors = await holder.call<number>('descriptors');
  const peers = Array.from({ length: 5 }, () => new RawPeer(stage.control));
  for (const peer of peers) {
    assert.equal(await peer.hear(), null);
    await peer.close();
  }
  await assertUnharmed(stage, holder, descriptors);
});

test('the socket file of a killed holder is replaced, and the next start is the first generation', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  await first.kill();
  const second = await stage.start();
  assert.equal((await second.event('ready'))['generation'], 1);
  assert.equal(await answerOf(second), second.pid);
  await stage.upgrade(second);
});

test('two processes that start at once never both become the first one', async (t) => {
  const stage = await Stage.open(t);
  for (let i = 0; i < 10; i++) {
    const script: Script = { address: stage.file(`control-${i}`) };
    const actors = await Promise.all([stage.enter(script), stage.enter(script)]);
    const generations = await Promise.all(
      actors.map(async (actor) => {
        const outcome = await Promise.race([actor.event('ready'), actor.event('failed')]);
        if (outcome.event === 'ready') return outcome['generation'];
        assert.equal((outcome['error'] as Failure).code, 'ERR_HANDOFF_BUSY');
        return 'busy';
      }),
    );
    const sorted = generations.map(String).sort().join();
    assert.match(sorted, /^1,(2|busy)$/, 'two holders, or none');
    for (const actor of actors) if (actor.alive) await actor.kill();
  }
});

test('a holder that is killed while its successor warms up is succeeded', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const second = await stage.enter({ mode: 'manual' });
  await second.event('warm');
  // Clients that connect while nobody accepts wait in the queue of the shared listener.
  await first.kill();
  const waiting = answerOf(first);
  await second.call('ready');
  assert.equal(await waiting, second.pid);
  assert.equal((await second.event('ready'))['generation'], 2);
  const third = await stage.upgrade(second);
  assert.equal((await third.event('ready'))['generation'], 3);
});

test('a holder that is stopped when its successor is ready keeps the service', async (t) => {
  const stage = await Stage.open(t, { timeouts: { commit: 300 } });
  const first = await stage.start();
  const second = await stage.enter({ mode: 'manual' });
  await second.event('warm');
  await first.kill('SIGSTOP');
  t.after(() => first.alive && process.kill(first.pid, 'SIGCONT'));
  await assert.rejects(second.call('ready'), { code: 'ERR_HANDOFF_TIMEOUT' });
  await first.kill('SIGCONT');
  await second.kill();
  assert.equal(await answerOf(first), first.pid);
  await stage.start();
});

test('a process that meets a stopped holder gives up after timeouts.hello', async (t) => {
  const stage = await Stage.open(t, { timeouts: { hello: 300 } });
  const first = await stage.start();
  await first.kill('SIGSTOP');
  const second = await stage.enter();
  assert.equal((await failureOf(second)).code, 'ERR_HANDOFF_TIMEOUT');
  assert.equal(await second.exit(), 1);
  await first.kill('SIGCONT');
  assert.equal(await answerOf(first), first.pid);
});

test('a stranger cannot connect to the control socket', asNobody, async (t) => {
  const stage = await Stage.open(t);
  chmodSync(stage.directory, 0o777);
  const first = await stage.start();
  chmodSync(stage.file('director'), 0o777);
  const stranger = await stage.enter({}, { uid: NOBODY });
  assert.equal((await failureOf(stranger)).code, 'EACCES');
  assert.equal(await answerOf(first), first.pid);
});

test('a stranger who gets at the control socket is turned away and told why', asNobody, async (t) => {
  const stage = await Stage.open(t, { timeouts: { hello: 500 } });
  chmodSync(stage.directory, 0o777);
  const first = await stage.start();
  chmodSync(stage.file('director'), 0o777);
  chmodSync(stage.control, 0o666);
  const stranger = await stage.enter({}, { uid: NOBODY });
  const { error } = (await first.event('aborted')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_UNTRUSTED_PEER');
  const refusal = await failureOf(stranger);
  assert.equal(refusal.code, 'ERR_HANDOFF_REFUSED');
  assert.match(refusal.message, /uid 65534/);
  assert.equal(await stranger.exit(), 1);
  assert.equal(await answerOf(first), first.pid);
});

test('a user on the allow-list may take over', asNobody, async (t) => {
  const stage = await Stage.open(t);
  chmodSync(stage.directory, 0o777);
  const first = await stage.start({ allow: [NOBODY] });
  chmodSync(stage.file('director'), 0o777);
  const second = await stage.start({}, { uid: NOBODY });
  assert.equal(await first.exit(), 0);
  assert.equal(await answerOf(first), second.pid);
});

test('a process does not take over from a stranger', asNobody, async (t) => {
  const stage = await Stage.open(t);
  chmodSync(stage.directory, 0o777);
  chmodSync(stage.file('director'), 0o777);
  const strange = await stage.start({}, { uid: NOBODY });
  const ours = await stage.enter();
  assert.equal((await failureOf(ours)).code, 'ERR_HANDOFF_UNTRUSTED_PEER');
  const tolerant = await stage.enter({ allow: [NOBODY] });
  await tolerant.event('ready');
  assert.equal(await answerOf(strange), tolerant.pid);
});

const byDefault: Script = { address: undefined };

test('without an address processes meet in the runtime directory', async (t) => {
  const stage = await Stage.open(t, byDefault);
  const env = { XDG_RUNTIME_DIR: stage.directory };
  const first = await stage.start({}, { env });
  await stage.start({}, { env });
  assert.equal(await first.exit(), 0);
});

const unsafe: Record<string, (place: string) => void> = {
  'that others may enter': (place) => {
    mkdirSync(place);
    chmodSync(place, 0o755);
  },
  'that is a symbolic link': (place) => {
    mkdirSync(`${place}-elsewhere`, { mode: 0o700 });
    symlinkSync(`${place}-elsewhere`, place);
  },
};
for (const [what, prepare] of Object.entries(unsafe)) {
  test(`a runtime directory ${what} is refused`, async (t) => {
    const stage = await Stage.open(t, byDefault);
    prepare(path.join(stage.directory, 'fdpass'));
    const actor = await stage.enter({}, { env: { XDG_RUNTIME_DIR: stage.directory } });
    assert.equal((await failureOf(actor)).code, 'ERR_HANDOFF_UNSAFE_DIRECTORY');
    assert.equal(await actor.exit(), 1);
  });
}

test('ten listeners and a hundred aborted upgrades later nothing has leaked', async (t) => {
  const listeners = Array.from({ length: 10 }, (_, i) => web({ name: `web-${i}` }));
  const stage = await Stage.open(t, { listeners });
  const holder = await stage.start();
  const descriptors = await holder.call<number>('descriptors');
  for (let i = 0; i < 100; i++) {
    const peer = new RawPeer(stage.control);
    await peer.advance('warm');
    await peer.send('NAK', { reason: 'no' });
    assert.equal(await peer.hear(), null);
    await peer.close();
  }
  assert.equal(await holder.call('descriptors'), descriptors);
});
