// A holder that misbehaves: a successor takes nothing wrong from it, and serves whenever the holder may have stopped.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { Fd, UnixSeqpacketServer } from 'fdpass';
import { httpClient } from '../helpers/clients';
import { RawHolder } from '../helpers/raw-holder';
import { RawPeer } from '../helpers/raw-peer';
import { type Actor, type Failure, type Script, Stage, within } from '../helpers/stage';

/** A real successor that has met a holder of ours. */
async function meet(t: TestContext, script: Script = {}): Promise<[Stage, RawHolder, Actor]> {
  const stage = await Stage.open(t, script);
  const holder = await RawHolder.open(stage.control);
  t.after(() => holder.close());
  return [stage, holder, await stage.enter()];
}

async function assertRefuses(holder: RawHolder, successor: Actor): Promise<void> {
  const { error } = (await successor.event('failed')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_PROTOCOL');
  let heard = await holder.hear();
  while (heard?.type === 'WANT' || heard?.type === 'ADOPTED') heard = await holder.hear();
  assert.equal(heard?.type, 'NAK');
  assert.equal(await holder.hear(), null);
  assert.equal(await successor.exit(), 1);
}

test('a listener in place of another one is not adopted', async (t) => {
  const [, holder, successor] = await meet(t);
  await holder.offer();
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  await holder.give(Fd.dup(other));
  other.close();
  await assertRefuses(holder, successor);
});

test('a socket that does not listen is not adopted', async (t) => {
  const [, holder, successor] = await meet(t);
  await holder.offer();
  const client = net.connect(holder.port, '127.0.0.1');
  await once(client, 'connect');
  await holder.give(Fd.dup(client));
  client.destroy();
  await assertRefuses(holder, successor);
});

test('fewer descriptors than names are refused', async (t) => {
  const [, holder, successor] = await meet(t);
  await holder.offer();
  await holder.send('FDS', { names: ['(control)', 'web'] }, [holder.control]);
  await assertRefuses(holder, successor);
});

test('descriptors in a frame that should have none are refused', async (t) => {
  const [, holder, successor] = await meet(t);
  await holder.hear();
  const payload = { version: 2, pid: process.pid, generation: 1, listeners: holder.entries() };
  try {
    await holder.send('OFFER', payload, [holder.control]);
  } catch (error) {
    assert.equal((error as NodeJS.ErrnoException).code, 'EPERM'); // by the kernel, from Linux 6.16 on
    return;
  }
  await assertRefuses(holder, successor);
});

for (const [what, bytes] of Object.entries({
  garbage: Buffer.from('what?'),
  'an empty message': Buffer.alloc(0),
})) {
  test(`${what} in answer to HELLO is refused`, async (t) => {
    const [, holder, successor] = await meet(t);
    await holder.hear();
    await holder.sendRaw(bytes);
    await assertRefuses(holder, successor);
  });
}

test('a holder that never answers HELLO is given up', async (t) => {
  const [, holder, successor] = await meet(t, { timeouts: { hello: 200 } });
  await holder.hear();
  const { error } = (await successor.event('failed')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_TIMEOUT');
  assert.equal(await successor.exit(), 1);
});

const ends: [string, (holder: RawHolder) => Promise<void>][] = [
  ['falls silent', async () => {}],
  ['talks nonsense', (holder) => holder.sendRaw(Buffer.from('what?'))],
];
for (const [what, end] of ends) {
  test(`a successor whose holder ${what} after ACCEPTING serves`, async (t) => {
    const [, holder, successor] = await meet(t, { timeouts: { commit: 200 } });
    const { port } = holder;
    await holder.commit();
    holder.web.close();
    await end(holder);
    await successor.event('ready');
    assert.equal(await httpClient({ port }, { keepAlive: false }).ask(), successor.pid);
  });
}

test('a successor whose holder hangs up and lives leaves the service to it', async (t) => {
  const [, holder, successor] = await meet(t, { timeouts: { commit: 200 } });
  await holder.commit();
  await holder.hangUp();
  const { error } = (await successor.event('failed')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_ROLLED_BACK');
  assert.match(error.message, /it lives/);
  assert.equal(await successor.exit(), 1);
});

test('a successor whose holder takes the service back stops accepting, on the control socket too', async (t) => {
  const [stage, holder, successor] = await meet(t, { timeouts: { commit: 200 } });
  const { port } = holder;
  await holder.commit();
  await holder.server.close({ unlink: false }); // only the successor accepts on the control socket now
  holder.web.close();
  await successor.event('ready');
  const slow = httpClient({ port }).ask('/slow'); // keeps the successor alive
  await successor.event('slow');
  await holder.send('NAK', { reason: 'I was only slow' });
  let heard = await holder.hear();
  if (heard?.type === 'DRAIN') heard = await holder.hear(); // what it said when we were silent
  assert.equal(heard, null);
  await successor.event('rolledback');
  assert.equal((await successor.call<{ state: string }>('status')).state, 'closed');
  // Whoever connects now is left to the holder.
  const peer = new RawPeer(stage.control);
  await successor.call('status');
  await successor.call('status');
  const back = UnixSeqpacketServer.adopt(Fd.dup(holder.control));
  t.after(() => back.close());
  t.after(() => peer.close());
  const [socket] = await within('the connection', () => once(back, 'connection'));
  await socket.close();
  await successor.call('release');
  assert.equal(await slow, successor.pid);
  assert.equal(await successor.exit(), 1);
});

test('a NAK reaches the successor though the holder closes with its last frame unread', async (t) => {
  const [, holder, successor] = await meet(t);
  await holder.offer();
  await holder.give();
  await holder.hear(); // ADOPTED
  await holder.ready();
  const { port } = holder;
  holder.web.close(); // the successor holds it, too: whoever answers now has opened it, and said so
  await holder.send('COMMIT');
  assert.equal(await httpClient({ port }).ask(), successor.pid);
  await holder.send('NAK', { reason: 'I was stopped for long' });
  await holder.close(); // ACCEPTING is unread: the peer sees ECONNRESET first
  const { error } = (await successor.event('failed')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_ABORTED');
  assert.match(error.message, /I was stopped for long/);
  assert.equal(await successor.exit(), 1);
});
