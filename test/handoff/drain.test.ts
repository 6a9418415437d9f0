// The drain: what is under way in the old process ends well, and it always ends.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, writeFileSync } from 'node:fs';
import http2 from 'node:http2';
import net from 'node:net';
import test from 'node:test';
import tls from 'node:tls';
import { createHandoff } from 'fdpass';
import { selfSigned } from '../helpers/certificate';
import { httpClient } from '../helpers/clients';
import { RawPeer } from '../helpers/raw-peer';
import { type Actor, portOf, Stage, web, within } from '../helpers/stage';

const REQUEST = 'GET / HTTP/1.1\r\nHost: test\r\n\r\n';

async function connect(actor: Actor): Promise<net.Socket> {
  const socket = net.connect(portOf(actor), '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}

/** One request on that very connection. @returns header and body */
async function ask(socket: net.Socket): Promise<string> {
  return await within('an answer', async () => {
    socket.write(REQUEST);
    let text = '';
    while (!/\r\n\r\n.*\d/s.test(text.replace(/Content-Length.*/, ''))) {
      const [chunk] = (await once(socket, 'data')) as [Buffer];
      text += chunk;
    }
    return text;
  });
}

for (const path of ['/slow', '/slow-body']) {
  test(`a response that is under way (${path}) is completed by the old process`, async (t) => {
    const stage = await Stage.open(t);
    const first = await stage.start();
    const answer = httpClient({ port: portOf(first) }).ask(path);
    await first.event('slow');
    const second = await stage.start();
    await first.event('superseded');
    await first.call('release');
    assert.equal(await answer, first.pid);
    // A body whose header was sent before the switch leaves its connection to the client: it may hold it.
    if (path === '/slow') assert.equal(await first.exit(), 0);
    assert.equal(await httpClient({ port: portOf(first) }, { keepAlive: false }).ask(), second.pid);
  });
}

test('an idle keep-alive connection is not cut, and its next response says Connection: close', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const socket = await connect(first);
  assert.match(await ask(socket), /Connection: keep-alive/i);
  await stage.start();
  await first.event('superseded');
  const ended = once(socket, 'close');
  const answer = await ask(socket);
  assert.match(answer, /Connection: close/i);
  assert.match(answer, new RegExp(`${first.pid}`));
  await within('the end of the connection', () => ended);
  assert.equal(await first.exit(), 0);
});

test('a connection that never speaks is cut after timeouts.drain and counted', async (t) => {
  const stage = await Stage.open(t, { timeouts: { drain: 300 } });
  const first = await stage.start();
  const silent = await connect(first);
  await ask(await connect(first)); // accepted behind the silent one: both are the process's now
  const cut = once(silent.resume(), 'close');
  const peer = new RawPeer(stage.control);
  await peer.advance('draining');
  assert.equal((await peer.bye())['forced'], 2);
  await within('the cut', () => cut);
  assert.equal(await first.exit(), 0);
  await peer.close();
});

test('what ends by itself while the old process drains is counted apart from what is cut', async (t) => {
  const stage = await Stage.open(t, { timeouts: { drain: 500 } });
  const first = await stage.start();
  const silent = await connect(first);
  const polite = await connect(first);
  await ask(polite);
  const peer = new RawPeer(stage.control);
  await peer.advance('draining');
  const left = once(polite, 'close');
  await ask(polite);
  await left;
  const { ms, ...counts } = await peer.bye();
  assert.deepEqual(counts, { closed: 1, forced: 1 });
  assert.ok((ms as number) >= 500);
  await peer.close();
  silent.destroy();
  assert.equal(await first.exit(), 0);
});

test('an HTTP/2 session gets GOAWAY and finishes the stream that is open', async (t) => {
  const stage = await Stage.open(t, { listeners: [web({ kind: 'http2' })] });
  const first = await stage.start();
  const session = http2.connect(`http://127.0.0.1:${portOf(first)}`);
  t.after(() => session.destroy());
  const stream = session.request({ ':path': '/slow' });
  let text = '';
  stream.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  await first.event('slow');
  const goaway = once(session, 'goaway');
  await stage.start();
  const [code] = (await within('GOAWAY', () => goaway)) as [number];
  assert.equal(code, http2.constants.NGHTTP2_NO_ERROR);
  const ended = once(stream, 'close');
  await first.call('release');
  await within('the end of the stream', () => ended);
  assert.equal(text, `${first.pid}`);
  assert.equal(await first.exit(), 0);
});

test('while an old process drains two more upgrades work, and it meddles with neither', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const silent = await connect(first);
  const polite = await connect(first);
  await ask(polite); // the silent one before it is accepted, then
  polite.destroy();
  const second = await stage.upgrade(first);
  const third = await stage.start();
  const fourth = await stage.upgrade(third);
  assert.equal(await second.exit(), 0);
  assert.equal(await third.exit(), 0);
  for (let i = 0; i < 10; i++) {
    const peer = new RawPeer(stage.control);
    await peer.send('HELLO', { versions: [1, 2], uptimeMs: 1 });
    assert.equal(
      (await peer.hear())?.payload['pid'],
      fourth.pid,
      'somebody else answers at the control socket',
    );
    await peer.close();
  }
  assert.equal((await first.call<{ state: string }>('status')).state, 'superseded');
  assert.ok(first.alive);
  silent.destroy();
  assert.equal(await first.exit(), 0);
});

test('SIGTERM ends the service: nothing new is accepted, what is under way completes, the exit code is 0', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const answer = httpClient({ port: portOf(first) }).ask('/slow');
  await first.event('slow');
  await first.kill('SIGTERM');
  await first.event('closing');
  assert.ok(!existsSync(stage.control));
  const [error] = (await once(net.connect(portOf(first), '127.0.0.1'), 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
  await first.call('release');
  assert.equal(await answer, first.pid);
  assert.equal(await first.exit(), 0);
});

test('close() calls off a successor that boots, and both end', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const attempt = assert.rejects(first.call('upgrade', stage.options({ mode: 'manual' })), {
    code: 'ERR_FDPASS_CLOSED',
  });
  const successor = await stage.next();
  await successor.event('warm');
  await first.call('close');
  await attempt;
  await successor.gone;
  assert.equal(await first.exit(), 0);
});

test('a process that closes gives an abstract control address up at once, not when it has drained', async (t) => {
  const stage = await Stage.open(t, { address: `@fdpass-drain-${process.pid}`, timeouts: { hello: 1000 } });
  const first = await stage.start();
  const answer = httpClient({ port: portOf(first) }).ask('/slow');
  await first.event('slow');
  await first.kill('SIGTERM');
  await first.event('closing');
  const next = await stage.start();
  assert.equal((await next.event('ready'))['generation'], 1);
  await first.call('release');
  assert.equal(await answer, first.pid);
});

/** One request after the other without waiting, on one connection. @returns the bodies */
async function pipeline(socket: net.Socket, paths: string[]): Promise<() => Promise<string[]>> {
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  const ended = once(socket, 'close');
  socket.write(paths.map((path) => `GET ${path} HTTP/1.1\r\nHost: test\r\n\r\n`).join(''));
  return async () => {
    await within('the end of the connection', () => ended);
    return [...text.matchAll(/\r\n\r\n(\d+)/g)].map((match) => match[1] as string);
  };
}

test('a client that goes on writing behind the last answer reads it, and is not reset', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const socket = await connect(first);
  let failure: Error | undefined;
  socket.on('error', (error) => {
    failure = error;
  });
  socket.pause().write(REQUEST.replace('/', '/slow'));
  await first.event('slow');
  const second = await stage.start();
  await first.event('superseded');
  await first.call('release');
  // The response and the end lie in our buffer, and we have not read them yet.
  for (let i = 0; i < 200; i++) await new Promise<void>((done) => socket.write(REQUEST, () => done()));
  const text: string[] = [];
  socket
    .setEncoding('latin1')
    .on('data', (chunk: string) => text.push(chunk))
    .resume();
  await within('the end', () => once(socket, 'end'));
  assert.match(
    text.join(''),
    new RegExp(`^HTTP/1.1 200 OK\r\n.*Connection: close.*\r\n\r\n${first.pid}$`, 's'),
  );
  assert.equal(failure, undefined);
  socket.destroy();
  assert.equal(await first.exit(), 0);
  assert.ok(second.alive);
});

test('a client that keeps its end open behind the last answer does not hold the process for long', async (t) => {
  const stage = await Stage.open(t); // timeouts.drain is longer than this test may take
  const first = await stage.start();
  const socket = net.connect({ port: portOf(first), host: '127.0.0.1', allowHalfOpen: true });
  t.after(() => socket.destroy());
  socket.on('error', () => {});
  socket.write(REQUEST.replace('/', '/slow'));
  await first.event('slow');
  await stage.start();
  await first.event('superseded');
  await first.call('release');
  await within('the end', () => once(socket.resume(), 'end'));
  const { drain } = (await first.event('drained'))['receipt'] as {
    drain: { closed: number; forced: number };
  };
  assert.deepEqual([drain.closed, drain.forced], [1, 0]);
  assert.equal(await first.exit(), 0);
});

test('requests that were pipelined before and during the drain are all answered', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const socket = await connect(first);
  const bodies = await pipeline(socket, ['/slow', '/slow']);
  const slow = (count: number) =>
    first.event('slow', () => first.reports.filter(({ event }) => event === 'slow').length >= count);
  await slow(2);
  await stage.start();
  await first.event('superseded');
  socket.write('GET /slow HTTP/1.1\r\nHost: test\r\n\r\nGET /slow HTTP/1.1\r\nHost: test\r\n\r\n');
  await slow(4);
  await first.call('release');
  assert.deepEqual(await bodies(), Array(4).fill(`${first.pid}`));
  assert.equal(await first.exit(), 0);
});

test('requests that come together during the drain are all answered by a handler that answers at once', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const sockets = await Promise.all([1, 2, 3].map(() => connect(first)));
  for (const socket of sockets) await ask(socket); // the server's own from here
  await stage.start();
  await first.event('superseded');
  for (const socket of sockets) {
    const bodies = await pipeline(socket, Array(5).fill('/'));
    assert.deepEqual(await bodies(), Array(5).fill(`${first.pid}`));
  }
  assert.equal(await first.exit(), 0);
});

test('a request behind an answer that says Connection: close is not handled', async (t) => {
  const stage = await Stage.open(t);
  const first = await stage.start();
  const socket = await connect(first);
  await ask(socket);
  await stage.start();
  await first.event('superseded');
  const bodies = await pipeline(socket, ['/slow-body']);
  await within('the header', () => once(socket, 'data'));
  socket.write('GET /slow HTTP/1.1\r\nHost: test\r\n\r\n');
  await first.call('status'); // by the time it reads the next command it has read the request, too
  await first.call('release');
  await bodies();
  assert.equal(await first.exit(), 0);
  assert.equal(first.reports.filter(({ event }) => event === 'slow').length, 1);
});

test('a net server says goodbye to each connection in its own words', async (t) => {
  const handoff = await createHandoff({ name: 'drain', address: `@fdpass-farewell-${process.pid}` });
  const server = net.createServer((socket) => socket.write('hello\n'));
  const options = { port: 0, host: '127.0.0.1', drain: (socket: net.Socket) => void socket.end('bye\n') };
  await handoff.listen('talk', server, options);
  await handoff.ready();
  t.after(() => handoff.close());
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  await once(client, 'data');
  const farewell = once(client, 'data');
  await within('the drain', () => handoff.close());
  assert.equal(String((await farewell)[0]), 'bye\n');
});

for (const version of ['TLSv1.2', 'TLSv1.3'] as const) {
  test(`a ${version} client resumes its session at the next process`, async (t) => {
    const stage = await Stage.open(t);
    const { key, cert } = selfSigned(t);
    const files = { key: stage.file('key.pem'), cert: stage.file('cert.pem') };
    writeFileSync(files.key, key);
    writeFileSync(files.cert, cert);
    const script = { tls: files, listeners: [web({ kind: 'https' })] };
    const first = await stage.start(script);
    /** One request; gives the session that the server offers, and whether the given one was resumed. */
    const visit = async (session?: Buffer) => {
      const target = { host: '127.0.0.1', port: portOf(first), servername: 'localhost', ca: cert };
      const limits = { minVersion: version, maxVersion: version };
      const socket = tls.connect({ ...target, ...limits, ...(session ? { session } : {}) });
      let offered: Buffer | undefined;
      socket.on('session', (given: Buffer) => {
        offered = given;
      });
      const ended = once(socket, 'close');
      await once(socket, 'secureConnect');
      const reused = socket.isSessionReused();
      socket.write('GET / HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n');
      let text = '';
      for await (const chunk of socket) text += chunk;
      await ended;
      return { session: offered, reused, pid: Number(text.split('\r\n\r\n')[1]) };
    };
    const before = await visit();
    assert.deepEqual([before.reused, before.pid], [false, first.pid]);
    const second = await stage.start(script);
    const after = await visit(before.session);
    assert.deepEqual([after.reused, after.pid], [true, second.pid]);
  });
}
