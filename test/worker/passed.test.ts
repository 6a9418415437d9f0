// Connections that the primary accepts and passes to a worker.
import assert from 'node:assert/strict';
import net from 'node:net';
import test from 'node:test';
import { Fd } from 'fdpass';
import { httpClient } from '../helpers/clients';
import type { Ending } from '../helpers/tmp-dir';
import { FakePrimary, type Worker } from './fake-primary';

/** Accepts on a port of its own, which its clients take for that of the worker. */
async function acceptor(t: Ending, give: (fd: Fd) => void): Promise<number> {
  const server = net.createServer({ pauseOnConnect: true }, (socket) => {
    give(Fd.dup(socket));
    (socket as unknown as { _handle: { close(): void } })._handle.close(); // without a shutdown(2)
    socket.destroy();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => void server.close());
  return (server.address() as net.AddressInfo).port;
}

async function servingPassed(
  t: Ending,
  plan = {},
  delivery: 'passed' | 'shared' = 'passed',
): Promise<{ worker: Worker; primary: FakePrimary; port: number }> {
  const primary = new FakePrimary(t);
  primary.delivery = delivery;
  const worker = primary.start({ args: [JSON.stringify(plan)] });
  await worker.says('listens');
  worker.child.write('ready\n');
  await worker.hears('ready');
  const port = await acceptor(t, (fd) => {
    worker.say({ type: 'connections', listener: 'web' }, [fd]);
    fd.close();
  });
  return { worker, primary, port };
}

test('a passed connection is served, and its load is told until it has closed', async (t) => {
  const { worker, port } = await servingPassed(t);
  const client = httpClient({ port });
  assert.equal(await client.ask(), worker.child.process.pid);
  assert.deepEqual(await worker.hears('load'), { type: 'load', received: 1, open: 1 });
  client.close();
  assert.deepEqual(await worker.hears('load'), { type: 'load', received: 1, open: 0 });
});

test('a worker that leaves serves what was passed to it until the primary says stop', async (t) => {
  const { worker, port } = await servingPassed(t);
  worker.child.write('close\n');
  await worker.hears('leaving');
  const client = httpClient({ port });
  assert.equal(await client.ask(), worker.child.process.pid);
  worker.say({ type: 'stop', drainMs: 10_000 });
  assert.equal(await client.ask(), worker.child.process.pid);
  client.close();
  const { closed, forced } = await worker.hears('bye');
  assert.deepEqual({ closed, forced }, { closed: 1, forced: 0 });
  assert.equal((await worker.child.ended).code, 0);
});

test('a worker that accepts itself serves what is passed to it, too', async (t) => {
  const { worker, port } = await servingPassed(t, {}, 'shared');
  const client = httpClient({ port });
  assert.equal(await client.ask(), worker.child.process.pid);
  assert.equal((await worker.hears('load')).received, 1);
  client.close();
});

test('connections of a listener that the worker does not have are closed', async (t) => {
  const { worker } = await servingPassed(t);
  const port = await acceptor(t, (fd) => {
    worker.say({ type: 'connections', listener: 'other' }, [fd]);
    fd.close();
  });
  const socket = net.connect(port, '127.0.0.1');
  await new Promise((resolve) => socket.on('error', resolve).on('close', resolve).resume());
  worker.child.write('status\n');
  assert.equal((await worker.tells('status:')).listeners[0].connections, 0);
});

test('without a primary a worker accepts itself', async (t) => {
  const { worker, primary } = await servingPassed(t);
  worker.hangUp();
  const client = httpClient({ port: primary.port('web') });
  assert.equal(await client.ask(), worker.child.process.pid);
  client.close();
  worker.child.write('close\n');
  assert.equal((await worker.child.ended).code, 0);
});
