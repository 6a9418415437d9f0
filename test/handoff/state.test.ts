// State: what one generation leaves to the next arrives whole, or not at all.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { openSync, writeSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { serialize } from 'node:v8';
import { createHandoff, Fd } from 'fdpass';
import { readState, type StateBlob, writeState } from '#fdpass/handoff/state';
import { binding } from '#fdpass/native/binding';
import { freshName } from '../helpers/address-name';
import { httpClient } from '../helpers/clients';
import { RawHolder } from '../helpers/raw-holder';
import { RawPeer } from '../helpers/raw-peer';
import { type Actor, type Failure, portOf, type Script, Stage } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

const LIMIT = 10_000;
const BAD = { code: 'ERR_HANDOFF_BAD_STATE' };

function closing(t: TestContext, blob: StateBlob): StateBlob {
  t.after(() => blob.fd.close());
  return blob;
}

/** A blob that nobody should make. */
function forged(t: TestContext, bytes: Buffer, seal = true): StateBlob {
  const fd = Fd.own(binding.createMemfd('forged'));
  writeSync(fd.fd, bytes);
  if (seal) binding.seal(fd.fd);
  const sha256 = createHash('sha256').update(bytes).digest('hex');
  return closing(t, { fd, label: { version: 1, bytes: bytes.length, sha256 } });
}

test('a program that is asked for its state cannot start an upgrade of its own meanwhile', async (t) => {
  const address = `@${freshName()}`;
  const handoff = await createHandoff({ name: 'asked', address });
  t.after(() => handoff.close());
  let refused: Promise<unknown> | undefined;
  handoff.provideState(1, () => {
    refused ??= handoff.upgrade({ command: 'true' }).catch((error: Failure) => error.code);
    return {};
  });
  await handoff.ready();
  const peer = new RawPeer(address);
  t.after(() => peer.close());
  await peer.advance('offer');
  assert.equal(await refused, 'ERR_HANDOFF_STATE');
});

test('what v8.serialize() takes arrives as it was, with its version', (t) => {
  const value = { map: new Map([[1, new Set(['a'])]]), date: new Date(5), bytes: Buffer.from('x'), big: 7n };
  const blob = closing(
    t,
    writeState(3, () => value, LIMIT),
  );
  assert.deepEqual(readState(blob, LIMIT), { version: 3, value });
  assert.equal(blob.label.version, 3);
});

test('a state can be read, and not changed by anybody', (t) => {
  const { fd } = closing(
    t,
    writeState(1, () => 'text', LIMIT),
  );
  assert.throws(() => writeSync(fd.fd, 'other'), { code: 'EPERM' });
});

test('a state of exactly the limit passes, one byte more is refused on either side', (t) => {
  const { length } = serialize('x'.repeat(100));
  const blob = closing(
    t,
    writeState(1, () => 'x'.repeat(100), length),
  );
  assert.equal(readState(blob, length).value, 'x'.repeat(100));
  assert.throws(() => writeState(1, () => 'x'.repeat(100), length - 1), BAD);
  assert.throws(() => readState(blob, length - 1), BAD);
});

for (const [what, get] of Object.entries({
  'that cannot be cloned': () => () => {},
  'whose provider throws': () => {
    throw new Error('the database is locked');
  },
})) {
  test(`a state ${what} is refused`, () => {
    assert.throws(() => writeState(1, get, LIMIT), BAD);
  });
}

const bytes = serialize({ count: 1 });
const badBlobs: Record<string, (t: TestContext) => StateBlob> = {
  'that is not sealed': (t) => forged(t, bytes, false),
  'whose hash is another one': (t) => {
    const { fd, label } = forged(t, bytes);
    return { fd, label: { ...label, sha256: '0'.repeat(64) } };
  },
  'that is shorter than announced': (t) => {
    const { fd, label } = forged(t, bytes);
    return { fd, label: { ...label, bytes: label.bytes + 1 } };
  },
  'that is not what v8.serialize() made': (t) => forged(t, Buffer.from('no state')),
  'that is a file anybody can write': (t) => {
    const fd = Fd.adopt(openSync(`${tmpDir(t)}/state`, 'w+'));
    writeSync(fd.fd, bytes);
    return closing(t, { fd, label: forged(t, bytes).label });
  },
};
for (const [what, make] of Object.entries(badBlobs)) {
  test(`a state ${what} is refused`, (t) => {
    assert.throws(() => readState(make(t), LIMIT), BAD);
  });
}

async function stateOf(actor: Actor): Promise<unknown> {
  return (await actor.event('created'))['state'];
}

test('each generation gets what the one before it left, and its version', async (t) => {
  const stage = await Stage.open(t, { counter: 'counts' });
  const first = await stage.start();
  assert.equal(await stateOf(first), undefined);
  const second = await stage.upgrade(first);
  assert.deepEqual(await stateOf(second), { version: 1, value: { count: 1 } });
  const third = await stage.start();
  assert.deepEqual(await stateOf(third), { version: 2, value: { count: 2 } });
});

test('a state that cannot be provided ends the upgrade, and the old process serves on', async (t) => {
  const stage = await Stage.open(t, { counter: 'broken' });
  const first = await stage.start();
  const failure = (await first.call('upgrade', stage.options()).catch((error) => error)) as Failure;
  assert.equal(failure.code, 'ERR_HANDOFF_BAD_STATE');
  assert.match(failure.message, /could not be cloned/);
  assert.equal(await httpClient({ port: portOf(first) }, { keepAlive: false }).ask(), first.pid);
  const unrelated = await stage.enter();
  const { error } = (await unrelated.event('failed')) as unknown as { error: Failure };
  assert.match(error.message, /could not be cloned/);
});

test('a new process that can do without gets none from an old one that cannot provide it', async (t) => {
  const stage = await Stage.open(t, { counter: 'broken' });
  const first = await stage.start();
  const second = await stage.start({ counter: 'counts', state: { onError: 'empty' } });
  assert.equal(await stateOf(second), undefined);
  await stage.stderrHas('ERR_HANDOFF_BAD_STATE');
  assert.equal(await first.exit(), 0);
});

test('aborted upgrades leave no state behind in the old process', async (t) => {
  const stage = await Stage.open(t, { counter: 'counts' });
  const first = await stage.start();
  const before = await first.call<number>('descriptors');
  for (let i = 0; i < 3; i++) {
    await assert.rejects(first.call('upgrade', stage.options({ mode: 'exit-when-warm' })));
    assert.equal(await first.call('descriptors'), before);
  }
});

/** A real successor of a holder of ours that offers a forged state. */
async function meet(t: TestContext, blob: StateBlob, script: Script = {}): Promise<[RawHolder, Actor]> {
  const stage = await Stage.open(t, script);
  const holder = await RawHolder.open(stage.control);
  t.after(() => holder.close());
  const successor = stage.enter();
  const inode = `${blob.fd.describe().inode}`;
  const nowhere = { family: '', type: '', address: '' } as const;
  const state = {
    name: '(state)',
    ...nowhere,
    kind: 'file',
    listening: false,
    inode,
    state: blob.label,
  } as const;
  await holder.offer([...holder.entries(), state]);
  const web = Fd.dup(holder.web);
  await holder.giveAll({ '(control)': holder.control, web, '(state)': blob.fd });
  web.close();
  return [holder, await successor];
}

test('a bad state ends the new process before it is ready, and the old one is told why', async (t) => {
  const blob = badBlobs['whose hash is another one']?.(t) as StateBlob;
  const [holder, successor] = await meet(t, blob);
  const { error } = (await successor.event('failed')) as unknown as { error: Failure };
  assert.equal(error.code, 'ERR_HANDOFF_BAD_STATE');
  assert.equal((await holder.hear())?.type, 'ADOPTED');
  const heard = await holder.hear();
  assert.equal(heard?.type, 'NAK');
  assert.match(heard.payload['reason'] as string, /hash/);
  assert.equal(await successor.exit(), 1);
});

test('a bad state is no state for a new process that can do without', async (t) => {
  const blob = badBlobs['that is not sealed']?.(t) as StateBlob;
  const [holder, successor] = await meet(t, blob, { state: { onError: 'empty' } });
  assert.equal(await stateOf(successor), undefined);
  assert.equal((await holder.hear())?.type, 'ADOPTED');
  assert.equal((await holder.hear())?.type, 'READY');
});

test('provideState() wants a version and a function', async (t) => {
  const handoff = await createHandoff({ name: 'state', address: `@fdpass-state-${process.pid}` });
  t.after(() => handoff.close());
  assert.throws(() => handoff.provideState(-1, () => 1), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => handoff.provideState(1, 'x' as never), { code: 'ERR_INVALID_ARG_TYPE' });
  assert.equal(handoff.state, undefined);
});
