// The promises of docs/security.md that no other test shows: who is believed, and what is let in when.
import assert from 'node:assert/strict';
import {
  chmodSync,
  chownSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { httpClient } from '../helpers/clients';
import { asNobody, NOBODY } from '../helpers/nobody';
import { RawHolder } from '../helpers/raw-holder';
import { type Actor, type Failure, portOf, Stage } from '../helpers/stage';

async function failureOf(actor: Actor): Promise<Failure> {
  return ((await actor.event('failed')) as unknown as { error: Failure }).error;
}

/** Everybody may reach what is in the directory of the stage. */
function openToAll(stage: Stage): void {
  chmodSync(stage.directory, 0o777);
  chmodSync(stage.file('director'), 0o777);
}

/** Each brings a successor to a state in which it has asked for no descriptor. */
const unasked: Record<string, (holder: RawHolder) => Promise<unknown>> = {
  'has said HELLO': (holder) => holder.hear(),
  async 'has all of them'(holder) {
    await holder.offer();
    await holder.give();
    await holder.hear(); // ADOPTED
  },
  async 'is ready'(holder) {
    await holder.offer();
    await holder.give();
    await holder.hear(); // ADOPTED
    await holder.ready();
  },
};

for (const [state, reach] of Object.entries(unasked)) {
  test(`no descriptor gets into a successor that ${state}`, async (t) => {
    const stage = await Stage.open(t);
    const holder = await RawHolder.open(stage.control);
    t.after(() => holder.close());
    const successor = await stage.enter();
    await reach(holder);
    try {
      await holder.send('FDS', { names: ['web'] }, [holder.control]);
    } catch (error) {
      assert.equal((error as NodeJS.ErrnoException).code, 'EPERM'); // by the kernel, from Linux 6.16 on
      return;
    }
    assert.equal((await failureOf(successor)).code, 'ERR_HANDOFF_PROTOCOL');
  });
}

test(
  'a process that serves is judged by its own user, not by the one it has the control socket from',
  asNobody,
  async (t) => {
    const stage = await Stage.open(t);
    openToAll(stage);
    const ours = await stage.start({ allow: [NOBODY] });
    const allowed = await stage.start({}, { uid: NOBODY });
    assert.equal(await ours.exit(), 0);
    // Root again, which has not allowed anybody.
    const next = await stage.enter();
    assert.equal((await failureOf(next)).code, 'ERR_HANDOFF_UNTRUSTED_PEER');
    assert.equal(await httpClient({ port: portOf(ours) }, { keepAlive: false }).ask(), allowed.pid);
  },
);

test('after a rollback the old process is judged by its own user again', asNobody, async (t) => {
  const stage = await Stage.open(t);
  openToAll(stage);
  const ours = await stage.start({ allow: [NOBODY] });
  const allowed = await stage.start({ probation: { ms: 60_000 } }, { uid: NOBODY });
  await allowed.kill();
  await ours.event('rolledback');
  await stage.start();
  assert.equal(await ours.exit(), 0);
});

test('an abstract name that another user has taken first is refused', asNobody, async (t) => {
  const address = `@fdpass-squatted-${process.pid}`;
  const stage = await Stage.open(t, { address });
  openToAll(stage);
  const squatter = await stage.start({}, { uid: NOBODY });
  const ours = await stage.enter();
  assert.equal((await failureOf(ours)).code, 'ERR_HANDOFF_UNTRUSTED_PEER');
  assert.equal((await squatter.call<{ state: string }>('status')).state, 'serving');
});

test(
  'a stranger who connects to an abstract name, which has no permissions, is refused',
  asNobody,
  async (t) => {
    const stage = await Stage.open(t, { address: `@fdpass-stranger-${process.pid}` });
    openToAll(stage);
    const ours = await stage.start();
    const stranger = await stage.enter({}, { uid: NOBODY });
    assert.equal((await failureOf(stranger)).code, 'ERR_HANDOFF_REFUSED');
    assert.equal((await ours.call<{ state: string }>('status')).state, 'serving');
  },
);

test('a runtime directory of another user is refused', asNobody, async (t) => {
  const stage = await Stage.open(t, { address: undefined });
  const directory = path.join(stage.directory, 'fdpass');
  mkdirSync(directory, { mode: 0o700 });
  chownSync(directory, NOBODY, NOBODY);
  const ours = await stage.enter({}, { env: { XDG_RUNTIME_DIR: stage.directory } });
  assert.equal((await failureOf(ours)).code, 'ERR_HANDOFF_UNSAFE_DIRECTORY');
});

test('a symbolic link at the control address is neither followed nor replaced', async (t) => {
  const stage = await Stage.open(t, { timeouts: { hello: 200 } });
  symlinkSync('elsewhere', stage.control);
  const ours = await stage.enter();
  assert.equal((await failureOf(ours)).code, 'ERR_HANDOFF_TIMEOUT');
  assert.ok(lstatSync(stage.control).isSymbolicLink());
  assert.equal(lstatSync(stage.file('elsewhere'), { throwIfNoEntry: false }), undefined);
});

test('a symbolic link in the place of the lock file is not followed', async (t) => {
  const stage = await Stage.open(t);
  writeFileSync(stage.file('precious'), 'as it was');
  symlinkSync('precious', `${stage.control}.lock`);
  const ours = await stage.enter();
  assert.equal((await failureOf(ours)).code, 'ELOOP');
  assert.equal(readFileSync(stage.file('precious'), 'utf8'), 'as it was');
});

test('the control socket admits its own user only, by its mode', async (t) => {
  const stage = await Stage.open(t);
  await stage.start();
  assert.equal(lstatSync(stage.control).mode & 0o777, 0o600);
});
