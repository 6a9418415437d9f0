// PassedService: connections that somebody else accepts, and what becomes of them when the server or the primary stops.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd } from 'fdpass';
import { binding } from '#fdpass/native/binding';
import { PassedService } from '#fdpass/worker/passed-service';

interface Opened {
  service: PassedService;
  server: http.Server;
  listener: Fd;
  port: number;
  /** 'listening' and 'close', as the program hears them. */
  heard: string[];
  refs: boolean[];
  /** Connects, and accepts that as the primary does. */
  connect(): Promise<{ client: net.Socket; fd: Fd }>;
}

async function open(t: TestContext): Promise<Opened> {
  const listener = Fd.own(binding.listenTcp('127.0.0.1', 0, 16, false, false));
  const { port } = binding.localInetAddress(listener.fd);
  const server = http.createServer((request, response) => {
    if (request.url === '/throw') throw new Error('of the program');
    response.end('yes');
  });
  const refs: boolean[] = [];
  const heard: string[] = [];
  const service = new PassedService(server, { backlog: 16, setRef: (ref) => refs.push(ref) });
  await service.start(listener);
  for (const event of ['listening', 'close']) server.on(event, () => heard.push(event));
  const clients: net.Socket[] = [];
  t.after(async () => {
    service.stop(listener);
    for (const client of clients) client.destroy();
    await service.drain((cut) => {
      cut();
      return () => {};
    });
    listener.close();
  });
  const connect = async () => {
    const client = net.connect(port, '127.0.0.1').setEncoding('utf8');
    client.on('error', () => {});
    clients.push(client);
    await once(client, 'connect');
    return { client, fd: acceptNow(listener) };
  };
  return { service, server, listener, port, heard, refs, connect };
}

/** What is connected is in the queue. */
function acceptNow(listener: Fd): Fd {
  const numbers = new Int32Array(1);
  assert.equal(binding.accept(listener.fd, numbers), 1);
  return Fd.own(numbers[0] as number);
}

const REQUEST = 'GET / HTTP/1.1\r\nHost: a\r\n\r\n';

async function ask(client: net.Socket): Promise<string> {
  client.write(REQUEST);
  return await answer(client);
}

async function answer(client: net.Socket): Promise<string> {
  let text = '';
  while (!text.endsWith('yes\r\n0\r\n\r\n') && !text.endsWith('yes')) {
    const [chunk] = (await once(client, 'data')) as [string];
    text += chunk;
  }
  return text;
}

test('connections that are delivered are served, counted and drained', async (t) => {
  const { service, server, listener, connect, refs } = await open(t);
  assert.deepEqual(refs, [true]);
  const [one, two] = [await connect(), await connect()];
  service.deliver([one.fd, two.fd]);
  assert.match(await ask(one.client), /yes/);
  assert.match(await ask(two.client), /keep-alive/);
  assert.deepEqual([service.accepted, service.open], [2, 2]);
  service.stop(listener);
  assert.ok(!server.listening);
  assert.equal(refs.at(-1), false);
  const drained = service.drain(() => () => {});
  assert.match(await ask(one.client), /Connection: close/i);
  two.client.end();
  assert.deepEqual(await drained, { closed: 2, forced: 0 });
});

test('what comes while it is paused waits, and the program hears nothing of it', async (t) => {
  const { service, server, listener, connect, heard } = await open(t);
  const address = server.address();
  for (let i = 0; i < 2; i++) {
    service.pause(listener);
    const { client, fd } = await connect();
    service.deliver([fd]);
    assert.equal(service.open, i);
    assert.deepEqual(server.address(), address);
    await nextTurn();
    service.resume(listener);
    assert.match(await ask(client), /yes/);
  }
  assert.deepEqual(server.address(), address);
  assert.deepEqual(heard, []);
});

test('what waits when it is stopped, and what comes after that, is served', async (t) => {
  const { service, listener, connect, heard } = await open(t);
  service.pause(listener);
  const [early, late] = [await connect(), await connect()];
  service.deliver([early.fd]);
  await nextTurn();
  service.stop(listener);
  service.deliver([late.fd]);
  const drained = service.drain(() => () => {});
  for (const { client } of [early, late]) assert.match(await ask(client), /Connection: close/i);
  assert.deepEqual(await drained, { closed: 2, forced: 0 });
  while (heard.length === 0) await nextTurn();
  assert.deepEqual(heard, ['close']);
});

test('without a primary it accepts itself, and with the next one no more', async (t) => {
  const { service, server, listener, port, connect, heard, refs } = await open(t);
  const address = server.address();
  service.acceptItself(listener);
  service.acceptItself(listener);
  const alone = net.connect(port, '127.0.0.1').setEncoding('utf8');
  assert.match(await ask(alone), /yes/);
  assert.equal(refs.at(-1), false, 'the handle of the listener keeps the process alive');
  service.acceptNoMore(listener);
  assert.equal(refs.at(-1), true);
  await nextTurn();
  const { client, fd } = await connect(); // nobody has taken it
  service.deliver([fd]);
  assert.match(await ask(client), /yes/);
  assert.match(await ask(alone), /yes/, 'it lives on');
  alone.destroy();
  assert.deepEqual(server.address(), address);
  assert.deepEqual(heard, []);
});

test('the primary may go and come back while it is paused', async (t) => {
  const { service, listener, port, connect } = await open(t);
  service.pause(listener);
  service.acceptItself(listener);
  const { client, fd } = await connect(); // it does not accept yet
  service.deliver([fd]);
  service.resume(listener);
  assert.match(await ask(client), /yes/);
  const alone = net.connect(port, '127.0.0.1').setEncoding('utf8');
  assert.match(await ask(alone), /yes/);
  alone.destroy();
  service.pause(listener);
  service.acceptNoMore(listener);
  service.resume(listener);
  const last = await connect();
  service.deliver([last.fd]);
  assert.match(await ask(last.client), /yes/);
});

test('a server that the program has closed closes what comes', async (t) => {
  const { service, server, listener, connect, refs } = await open(t);
  server.close();
  assert.deepEqual(refs, [true, false]);
  const [one, two] = [await connect(), await connect()];
  service.deliver([one.fd]);
  await once(one.client.resume(), 'close');
  service.stop(listener);
  service.deliver([two.fd]);
  await once(two.client.resume(), 'close');
  assert.equal(service.accepted, 0);
});

test('a handler that throws does not cost the connections behind it', async (t) => {
  const { service, server, connect } = await open(t);
  let calls = 0;
  server.on('connection', () => {
    if (calls++ === 0) throw new Error('of the program');
  });
  // Before the test runner's own listener.
  const caught = new Promise((resolve) => process.setUncaughtExceptionCaptureCallback(resolve));
  t.after(() => process.setUncaughtExceptionCaptureCallback(null));
  const [one, two] = [await connect(), await connect()];
  service.deliver([one.fd, two.fd]);
  assert.match(String(await caught), /of the program/);
  assert.match(await ask(two.client), /yes/);
});
