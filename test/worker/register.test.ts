// fdpass/register: programs that know nothing of pools are workers.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { pathToFileURL } from 'node:url';
import type { Script } from '../fixtures/unchanged';
import { start } from '../helpers/child';
import { httpClient, type Target } from '../helpers/clients';
import { freePort } from '../helpers/free-port';
import { type Ending, tmpDir } from '../helpers/tmp-dir';
import { FakePrimary, type Worker } from './fake-primary';

const REGISTER = require.resolve('#fdpass/register');

function run(primary: FakePrimary, script: Script, where = '0', env = {}): Worker {
  return primary.start({
    fixture: 'unchanged',
    args: [script, where],
    nodeArgs: ['--require', REGISTER],
    env,
  });
}

async function pidAt(target: Target): Promise<number> {
  const client = httpClient(target);
  try {
    return await client.ask();
  } finally {
    client.close();
  }
}

async function servedBy(
  t: Ending,
  script: Script = 'port',
): Promise<{ primary: FakePrimary; worker: Worker; pid: number }> {
  const primary = new FakePrimary(t);
  const worker = run(primary, script);
  await worker.hears('ready');
  return { primary, worker, pid: worker.child.process.pid as number };
}

test('listen() takes the listener of the pool, and the worker is ready when it listens', async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'port');
  assert.deepEqual(await worker.tells('variables'), []);
  const { address } = await worker.tells('server listens');
  await worker.says('callback');
  await worker.hears('ready');
  assert.deepEqual(primary.asked, [
    { name: 'tcp:127.0.0.1:0/1', place: { kind: 'stream', port: 0, host: '127.0.0.1', backlog: 64 } },
  ]);
  const port = primary.port('tcp:127.0.0.1:0/1');
  assert.deepEqual(address, { address: '127.0.0.1', family: 'IPv4', port });
  assert.equal(await pidAt({ port }), worker.child.process.pid);
});

test('the second worker has the same ports, in their order', async (t) => {
  const primary = new FakePrimary(t);
  const [one, other] = [run(primary, 'any ports'), run(primary, 'any ports')] as const;
  for (const worker of [one, other]) await worker.hears('ready');
  assert.deepEqual([...primary.listeners.keys()].sort(), ['tcp:127.0.0.1:0/1', 'tcp:127.0.0.1:0/2']);
  assert.equal(primary.asked.length, 4);
});

test('a worker is not ready before the listener that the first one has led to', async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'one after the other');
  await worker.says('both');
  await worker.hears('ready');
  assert.deepEqual(
    primary.asked.map(({ name }) => name),
    ['tcp:127.0.0.1:0/1', 'tcp::::0/1'],
  );
  assert.ok(!worker.heard.some(({ type }) => type === 'ready'), 'it has said so once');
});

test('a path is bound by the pool, and address() gives it', async (t) => {
  const primary = new FakePrimary(t);
  const file = path.join(tmpDir(t), 'web.sock');
  const worker = run(primary, 'path', file);
  assert.deepEqual(await worker.tells('server listens'), { address: file });
  await worker.hears('ready');
  assert.deepEqual([...primary.listeners.keys()], [`unix:${file}`]);
  assert.equal(await pidAt({ path: file }), worker.child.process.pid);
  worker.say({ type: 'stop', drainMs: 5_000 });
  assert.equal((await worker.child.ended).code, 0);
  assert.ok(existsSync(file), "the file is the pool's");
});

test('a name that does not fit goes by its hash', async (t) => {
  const primary = new FakePrimary(t);
  const file = path.join(tmpDir(t), `${'long '.repeat(8)}.sock`);
  const worker = run(primary, 'path', file);
  await worker.hears('ready');
  assert.match([...primary.listeners.keys()][0] as string, /^unix:[0-9a-f]{32}$/);
});

test("exclusive listeners, handles and descriptors are the program's own", async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'own');
  await worker.says('fd');
  await worker.says('handle listens');
  assert.deepEqual(primary.asked, []);
});

test('a port that a program wants to share is bound by the pool', async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'reusePort');
  await worker.hears('ready');
  assert.deepEqual(
    primary.asked.map(({ place }) => place),
    [{ kind: 'stream', port: 0, host: '127.0.0.1', reusePort: true, backlog: 511 }],
  );
});

test('what listen() throws without a pool it throws in one; an address that is taken is an error event', async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'twice');
  assert.equal(await worker.says('thrown'), 'ERR_SERVER_ALREADY_LISTEN');
  assert.equal(await worker.says('thrown'), 'ERR_SOCKET_BAD_PORT');
  await worker.hears('ready');
});

test('an address that the primary is refused is an error event, with the fields that Node gives it', async (t) => {
  const primary = new FakePrimary(t);
  primary.obliging = false;
  const worker = run(primary, 'port', '81');
  await worker.hears('hello');
  worker.say({ type: 'welcome', version: 1, worker: 1, generation: 1, pid: process.pid });
  const { request, name } = await worker.hears('listen');
  assert.equal(name, 'tcp:127.0.0.1:81');
  const message = 'bind EACCES 127.0.0.1:81';
  worker.say({ type: 'refused', request, code: 'EACCES', errno: -13, syscall: 'bind', message });
  assert.deepEqual(await worker.tells('server failed'), {
    code: 'EACCES',
    syscall: 'listen',
    address: '127.0.0.1',
    port: 81,
    message,
  });
  assert.equal((await worker.child.ended).code, 0, 'nothing keeps it alive');
});

test('a server that is closed before it listens, or by its signal, does not', async (t) => {
  const primary = new FakePrimary(t);
  const closed = run(primary, 'close at once');
  assert.equal(await closed.says('callback'), 'without an error');
  assert.equal((await closed.child.ended).code, 0);
  const aborted = run(primary, 'abort');
  await aborted.says('server listens');
  await aborted.says('server closed');
  assert.equal((await aborted.child.ended).code, 0);
});

test('a server that is closed leaves its place to the next one of the same tick', async (t) => {
  for (const script of ['close and listen', 'abort and listen'] as const) {
    const primary = new FakePrimary(t);
    const worker = run(primary, script, `${await freePort()}`);
    await worker.says('new listens');
    await worker.hears('ready');
    const [name] = primary.listeners.keys();
    const port = primary.port(name as string);
    assert.equal(await pidAt({ port }), worker.child.process.pid);
  }
});

test('a server that is closed may listen again in the same tick, before it has listened and behind that', async (t) => {
  for (const delivery of ['shared', 'passed'] as const) {
    const primary = new FakePrimary(t);
    primary.delivery = delivery;
    const port = await freePort();
    const worker = run(primary, 'close and listen again', `${port}`);
    await worker.says('again');
    await worker.hears('ready');
    if (delivery === 'shared') assert.equal(await pidAt({ port }), worker.child.process.pid);
    worker.say({ type: 'stop', drainMs: 1_000 });
    assert.equal((await worker.child.ended).code, 0);
  }
});

test('a server that the program closes is given back, and may listen again', async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'close one');
  await worker.says('two listens');
  assert.equal(await worker.says('callback'), 'without an error');
  assert.equal((await worker.hears('unlisten')).name, 'tcp:127.0.0.1:0/2');
  const { address } = await worker.tells('two listens');
  assert.equal(address.port, primary.port('tcp:127.0.0.1:0/2'), 'it gets the same port');
  await worker.hears('ready');
});

test('a program with nothing but servers ends with 0 when its connections have', async (t) => {
  const { primary, worker, pid } = await servedBy(t);
  const client = httpClient({ port: primary.port('tcp:127.0.0.1:0/1') });
  assert.equal(await client.ask(), pid);
  worker.say({ type: 'stop', drainMs: 20_000 });
  assert.equal(await client.ask(), pid);
  client.close();
  const { closed, forced } = await worker.hears('bye');
  assert.deepEqual({ closed, forced }, { closed: 1, forced: 0 });
  assert.equal((await worker.child.ended).code, 0);
});

test('a program that has a handler of SIGTERM ends by that, when its connections have ended', async (t) => {
  const { worker } = await servedBy(t, 'graceful');
  worker.say({ type: 'stop', drainMs: 20_000 });
  assert.equal(await worker.says('SIGTERM'), 'without an error');
  await worker.hears('bye');
  assert.equal((await worker.child.ended).code, 3);
});

for (const signal of ['SIGTERM', 'SIGINT'] as const) {
  test(`${signal} to a worker without a handler lets its connections end`, async (t) => {
    const { primary, worker, pid } = await servedBy(t);
    const client = httpClient({ port: primary.port('tcp:127.0.0.1:0/1') });
    assert.equal(await client.ask(), pid);
    worker.child.process.kill(signal);
    await worker.hears('leaving');
    worker.say({ type: 'stop', drainMs: 10_000 });
    assert.equal(await client.ask(), pid);
    client.close();
    assert.equal((await worker.hears('bye')).closed, 1);
    assert.deepEqual([(await worker.child.ended).code, (await worker.child.ended).signal], [0, null]);
  });
}

test("SIGTERM to a worker with a handler is that handler's", async (t) => {
  const { worker } = await servedBy(t, 'graceful');
  worker.child.process.kill('SIGTERM');
  assert.equal(await worker.says('SIGTERM'), 'without an error');
  assert.equal((await worker.child.ended).code, 3);
});

test("process.send('ready') says when a program is ready that is waited for", async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'pm2', '0', { FDPASS_WAIT_READY: '1' });
  assert.deepEqual(await worker.tells('variables'), []);
  await worker.says('waits');
  worker.say({ type: 'ping', sequence: 1 });
  await worker.hears('pong');
  assert.ok(!worker.heard.some(({ type }) => type === 'ready'));
  worker.child.write('now\n');
  await worker.hears('ready');
  await worker.says('told');
});

test('the program has its connections passed to it', async (t) => {
  const primary = new FakePrimary(t);
  primary.delivery = 'passed';
  const worker = run(primary, 'port');
  const { address } = await worker.tells('server listens');
  assert.equal(address.port, primary.port('tcp:127.0.0.1:0/1'));
  await worker.hears('ready');
  worker.say({ type: 'stop', drainMs: 1_000 });
  assert.equal((await worker.child.ended).code, 0);
});

test('a worker starts no workers by cluster; a process that it has started may', async (t) => {
  const primary = new FakePrimary(t);
  const worker = primary.start({ fixture: 'cluster-in-worker', nodeArgs: ['--require', REGISTER] });
  const refusals = (await worker.tells('refused')) as NodeJS.ErrnoException[];
  assert.equal(refusals.length, 2);
  for (const { code, message } of refusals) {
    assert.equal(code, 'ERR_FDPASS_CLUSTER_PRIMARY');
    assert.match(message, /it is the pool that starts the workers.*docs\/from-cluster-and-pm2\.md/);
  }
  assert.equal(await worker.says('forked'), '6');
  assert.equal((await worker.child.ended).code, 0);
});

test('preloaded by --import, or twice, it is the same', async (t) => {
  const primary = new FakePrimary(t);
  const nodeArgs = ['--import', pathToFileURL(REGISTER).href, '--require', REGISTER];
  const worker = primary.start({ fixture: 'unchanged', args: ['port'], nodeArgs });
  await worker.hears('ready');
  assert.equal(primary.asked.length, 1);
});

test('a program with a handoff of its own is left alone', async (t) => {
  const primary = new FakePrimary(t);
  const worker = primary.start({ nodeArgs: ['--require', REGISTER] });
  await worker.says('listens');
  assert.deepEqual(
    primary.asked.map(({ name }) => name),
    ['web'],
  );
  worker.child.write('ready\n');
  await worker.hears('ready');
  worker.child.process.kill('SIGTERM');
  assert.equal((await worker.child.ended).signal, 'SIGTERM');
});

test('a handoff behind the listen() of a server is refused, and says what to do', async (t) => {
  const primary = new FakePrimary(t);
  const worker = run(primary, 'handoff too late');
  const { code, message } = await worker.tells('refused');
  assert.equal(code, 'ERR_HANDOFF_STATE');
  assert.match(message, /call createHandoff\(\) before those, and handoff\.listen\(\) instead of them/);
  await worker.hears('ready');
  assert.equal(await pidAt({ port: primary.port('tcp:127.0.0.1:0/1') }), worker.child.process.pid);
});

test('a process that is no worker is as if nothing was preloaded', async (t) => {
  const file = path.join(__dirname, '../fixtures/unchanged.js');
  const child = start(t, process.execPath, ['--require', REGISTER, file, 'nothing']);
  const { code, stdout } = await child.ended;
  assert.equal(code, 0);
  assert.match(stdout, /^send of Node$/m);
});

test('a program that does nothing ends as it would alone', async (t) => {
  const worker = run(new FakePrimary(t), 'nothing');
  const { code, stdout } = await worker.child.ended;
  assert.equal(code, 0);
  assert.match(stdout, /^send patched$/m);
});
