// listen(): every kind of server on every kind of address is handed over under load, and listeners may come and go.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import net from 'node:net';
import { networkInterfaces, tmpdir } from 'node:os';
import path from 'node:path';
import test, { after, before } from 'node:test';
import type { ListenerStatus } from 'fdpass';
import type { ListenerPlan } from '../fixtures/handoff-server';
import {
  type Client,
  connectTo,
  http2Client,
  httpClient,
  Load,
  netClient,
  type Target,
} from '../helpers/clients';
import { freePort } from '../helpers/free-port';
import { type Actor, type Failure, portOf, Stage, web } from '../helpers/stage';

const certificates = mkdtempSync(path.join(tmpdir(), 'fdpass-tls-'));
const tls = { key: path.join(certificates, 'key.pem'), cert: path.join(certificates, 'cert.pem') };

before(() => {
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2']
      .concat('-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1')
      .concat('-keyout', tls.key, '-out', tls.cert),
    { stdio: 'pipe' },
  );
});
after(() => rmSync(certificates, { recursive: true }));

const clientOf: Record<ListenerPlan['kind'], (target: Target) => Client> = {
  net: netClient,
  http: httpClient,
  https: (target) => httpClient(target, { ca: readFileSync(tls.cert) }),
  http2: http2Client,
};

interface Place {
  options(stage: Stage): ListenerPlan['options'];
  target(stage: Stage, actor: Actor): Target;
}

const abstractName = `fdpass-listen-${process.pid}`;
const places: Record<string, Place> = {
  IPv4: {
    options: () => ({ port: 0, host: '127.0.0.1' }),
    target: (_, actor) => ({ port: portOf(actor), host: '127.0.0.1' }),
  },
  IPv6: {
    options: () => ({ port: 0, host: '::1' }),
    target: (_, actor) => ({ port: portOf(actor), host: '::1' }),
  },
  'a unix path': {
    options: (stage) => ({ path: stage.file('web') }),
    target: (stage) => ({ path: stage.file('web') }),
  },
  'an abstract address': {
    options: () => ({ path: `@${abstractName}` }),
    target: () => ({ path: `\0${abstractName}` }),
  },
};

const hasIPv6 = Object.values(networkInterfaces()).some((list) =>
  list?.some(({ address }) => address === '::1'),
);

for (const kind of Object.keys(clientOf) as ListenerPlan['kind'][]) {
  for (const [where, place] of Object.entries(places)) {
    const skip = where === 'IPv6' && !hasIPv6 ? 'this machine has no ::1' : false;
    test(`${kind} on ${where} is handed over under load and every request is answered`, {
      skip,
    }, async (t) => {
      const stage = await Stage.open(t);
      const script = { tls, listeners: [web({ kind, options: place.options(stage) })] };
      const first = await stage.start(script);
      const target = place.target(stage, first);
      const load = new Load(Array.from({ length: 4 }, () => clientOf[kind](target)));
      await load.served(first.pid);
      const second = await stage.start(script);
      await load.served(second.pid);
      assert.equal(await first.exit(), 0);
      const { failures, byPid } = await load.stop();
      assert.deepEqual(failures, []);
      assert.deepEqual(new Set(byPid.keys()), new Set([first.pid, second.pid]));
      assert.equal(portOf(second), portOf(first), 'a port that the kernel picked stays');
    });
  }
}

async function refused(target: Target): Promise<string> {
  const [error] = (await once(connectTo(target), 'error')) as [NodeJS.ErrnoException];
  return error.code as string;
}

test('the file of a unix listener survives the handover and goes with the last process', async (t) => {
  const stage = await Stage.open(t);
  const script = { listeners: [web({ options: { path: stage.file('web') } })] };
  const first = await stage.start(script);
  const second = await stage.start(script);
  assert.equal(await first.exit(), 0);
  assert.ok(existsSync(stage.file('web')) && existsSync(stage.control));
  assert.equal(await askOnce({ path: stage.file('web') }), second.pid);
  await second.call('close');
  assert.ok(!existsSync(stage.file('web')), 'the file is left');
  assert.ok(!existsSync(stage.control), 'the control socket is left');
  assert.equal(await second.exit(), 0);
});

async function askOnce(target: Target): Promise<number> {
  return await httpClient(target, { keepAlive: false }).ask();
}

test('the file of a unix listener of the first process goes with its close()', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start({
    listeners: [web({ options: { path: stage.file('web'), mode: 0o600 } })],
  });
  await first.call('close');
  assert.ok(!existsSync(stage.file('web')) && !existsSync(stage.control));
  assert.equal(await first.exit(), 0);
});

test('the file of a unix listener that the new version drops goes with the takeover', async (t) => {
  const stage = await Stage.open(t);
  const path = stage.file('dropped');
  const first = await stage.start({ listeners: [web(), web({ name: 'dropped', options: { path } })] });
  await stage.start();
  assert.equal(await first.exit(), 0);
  assert.ok(!existsSync(path), 'the file is left');
});

test('two listeners are handed over, each to the server of its name', async (t) => {
  const stage = await Stage.open(t);
  const one = web({ name: 'one' });
  const two = web({ name: 'two', kind: 'net' });
  const first = await stage.start({ listeners: [one, two] });
  const second = await stage.start({ listeners: [two, one] });
  assert.equal(portOf(second, 'one'), portOf(first, 'one'));
  assert.equal(portOf(second, 'two'), portOf(first, 'two'));
  assert.equal(await httpClient({ port: portOf(first, 'one') }).ask(), second.pid);
  assert.equal(await netClient({ port: portOf(first, 'two') }).ask(), second.pid);
});

test('a listener that the new version does not have is closed, one that it adds is bound', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start({ listeners: [web({ name: 'kept' }), web({ name: 'dropped' })] });
  const second = await stage.start({ listeners: [web({ name: 'kept' }), web({ name: 'added' })] });
  assert.equal(await first.exit(), 0);
  assert.equal(await refused({ port: portOf(first, 'dropped'), host: '127.0.0.1' }), 'ECONNREFUSED');
  assert.equal(await askOnce({ port: portOf(first, 'kept') }), second.pid);
  assert.equal(await askOnce({ port: portOf(second, 'added') }), second.pid);
});

test('a listener whose address the new version changes is bound anew, and the old address is closed', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const path = stage.file('web');
  const second = await stage.start({ listeners: [web({ options: { path } })] });
  assert.equal(await first.exit(), 0);
  assert.equal(await refused({ port: portOf(first), host: '127.0.0.1' }), 'ECONNREFUSED');
  assert.equal(await askOnce({ path }), second.pid);
  const third = await stage.start({ listeners: [web({ options: { path: stage.file('elsewhere') } })] });
  assert.equal(await second.exit(), 0);
  assert.equal(await askOnce({ path: stage.file('elsewhere') }), third.pid);
});

test('a port in use is reported with its address, and the old process serves on', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const taken = net.createServer().listen(0, '127.0.0.1');
  t.after(() => taken.close());
  await once(taken, 'listening');
  const { port } = taken.address() as net.AddressInfo;
  const listeners = [web(), web({ name: 'more', options: { port, host: '127.0.0.1' } })];
  const second = await stage.enter({ listeners });
  const { error } = (await second.event('failed')) as unknown as { error: Failure & { address: string } };
  assert.equal(error.code, 'EADDRINUSE');
  assert.equal(error.address, `127.0.0.1:${port}`);
  assert.equal(await second.exit(), 1);
  assert.equal(await askOnce({ port: portOf(first) }), first.pid);
});

test('seventy listeners, more than one packet of descriptors, are handed over', async (t) => {
  const stage = await Stage.open(t);
  const listeners = Array.from({ length: 70 }, (_, i) => web({ name: `web-${i}` }));
  const first = await stage.start({ listeners });
  const second = await stage.start({ listeners });
  assert.equal(await first.exit(), 0);
  const status = await second.call<{ listeners: ListenerStatus[] }>('status');
  assert.equal(status.listeners.filter(({ inherited }) => inherited).length, 70);
  for (const { name } of listeners) {
    assert.equal(portOf(second, name), portOf(first, name));
    assert.equal(await askOnce({ port: portOf(first, name) }), second.pid);
  }
});

test('nothing is accepted before ready()', async (t) => {
  const stage = await Stage.open(t);
  const port = await freePort();
  const first = await stage.enter({
    mode: 'manual',
    listeners: [web({ options: { port, host: '127.0.0.1' } })],
  });
  await first.event('warm');
  // The kernel takes the connection; the process answers it as soon as it is ready, not sooner.
  let ready = false;
  const answer = askOnce({ port }).then((pid) => {
    assert.ok(ready, 'answered before ready()');
    return pid;
  });
  await first.call('status');
  ready = true;
  await first.call('ready');
  assert.equal(await answer, first.pid);

  const second = await stage.enter({ mode: 'manual' });
  await second.event('warm');
  for (let i = 0; i < 20; i++) assert.equal(await askOnce({ port }), first.pid);
  const status = await second.call<{ listeners: ListenerStatus[] }>('status');
  assert.equal(status.listeners[0]?.connections, 0);
});
