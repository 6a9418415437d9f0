// injectConnection() and standIn(): a server serves connections that were accepted elsewhere, and knows no difference.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import tls from 'node:tls';
import { Worker } from 'node:worker_threads';
import { Fd, UnixAddress } from 'fdpass';
import { SOCK_STREAM } from '#fdpass/fd/describe';
import { injectConnection } from '#fdpass/fd/inject';
import { standIn } from '#fdpass/fd/stand-in';
import { binding } from '#fdpass/native/binding';
import { Readiness } from '#fdpass/sockets/readiness';
import { selfSigned } from '../helpers/certificate';
import { failureOf } from '../helpers/outcome';
import { openPipe, readNow } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';

type Target = { port: number; host: string } | { path: string };

interface Acceptor {
  listener: Fd;
  target: Target;
  /** The next connection, accepted here. */
  accept(): Promise<Fd>;
}

async function acceptor(t: TestContext, unix = false): Promise<Acceptor> {
  const file = path.join(tmpDir(t), 'a.sock');
  const listener = Fd.own(unix ? listenUnix(file) : binding.listenTcp('127.0.0.1', 0, 8, false, false));
  const target = unix
    ? { path: file }
    : { host: '127.0.0.1', port: binding.localInetAddress(listener.fd).port };
  t.after(() => listener.close());
  const accept = async (): Promise<Fd> => {
    const numbers = new Int32Array(1);
    if (binding.accept(listener.fd, numbers) === 1) return Fd.own(numbers[0] as number);
    await new Promise<void>((resolve) => {
      const readiness = new Readiness(listener.fd, () => {
        readiness.close();
        resolve();
      });
      readiness.want(1);
    });
    return await accept();
  };
  return { listener, target, accept };
}

function listenUnix(file: string): number {
  const fd = binding.openSocket(SOCK_STREAM);
  binding.bind(fd, UnixAddress.path(file).sunPath);
  binding.listen(fd, 8);
  return fd;
}

/** The server stands in for the listener and is given whatever comes there. */
async function serve(t: TestContext, server: net.Server, unix = false): Promise<Target> {
  const { listener, target } = await acceptor(t, unix);
  await standIn(server, listener, () => {});
  const numbers = new Int32Array(8);
  const readiness = new Readiness(listener.fd, () => {
    const count = binding.accept(listener.fd, numbers);
    for (let i = 0; i < count; i++) injectConnection(server, Fd.own(numbers[i] as number));
  });
  readiness.want(1);
  t.after(async () => {
    readiness.close();
    if (server.listening) await new Promise((resolve) => server.close(resolve));
  });
  return target;
}

async function textOf(stream: AsyncIterable<unknown>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

for (const unix of [false, true]) {
  const family = unix ? 'a unix listener' : 'TCP';

  test(`net, ${family}: bytes go both ways, and the ends of a half-open connection are kept`, async (t) => {
    const server = net.createServer({ allowHalfOpen: true }, (socket) => {
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
      });
      socket.on('end', () => socket.end(`got ${text}`));
    });
    const client = net.connect({ ...(await serve(t, server, unix)), allowHalfOpen: true });
    client.end('word');
    assert.equal(await textOf(client), 'got word');
  });

  test(`http, ${family}: requests of one connection are answered, and close() ends it when it is idle`, async (t) => {
    const server = http.createServer((_, response) => response.end('yes'));
    const target = await serve(t, server, unix);
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    t.after(() => agent.destroy());
    const to = 'path' in target ? { socketPath: target.path } : target;
    for (let i = 0; i < 3; i++) {
      const [response] = await once(http.get({ ...to, agent }), 'response');
      assert.equal(await textOf(response), 'yes');
    }
    assert.equal(await connectionsOf(server), 1);
    await new Promise((resolve) => server.close(resolve));
    assert.equal(await connectionsOf(server), 0);
  });
}

function connectionsOf(server: net.Server): Promise<number> {
  return new Promise((resolve, reject) => {
    server.getConnections((error, count) => (error ? reject(error) : resolve(count)));
  });
}

test('tls, https and http2 shake hands on it', async (t) => {
  const certificate = selfSigned(t);
  const trust = { ca: certificate.cert, servername: 'localhost' };
  const plain = (await serve(
    t,
    tls.createServer(certificate, (socket) => void socket.end('tls')),
  )) as net.TcpNetConnectOpts;
  assert.equal(await textOf(tls.connect({ ...plain, ...trust })), 'tls');
  const web = await serve(
    t,
    https.createServer(certificate, (_, response) => response.end('https')),
  );
  const request = https.get({ ...web, ...trust, agent: false });
  assert.equal(await textOf((await once(request, 'response'))[0]), 'https');
  const two = await serve(
    t,
    http2.createSecureServer(certificate, (_, response) => response.end('h2')),
  );
  const { port } = two as { port: number };
  const session = http2.connect(`https://127.0.0.1:${port}`, trust);
  const stream = session.request({ ':path': '/' }).setEncoding('utf8');
  assert.equal(await textOf(stream), 'h2');
  await new Promise<void>((resolve) => session.close(resolve));
});

test('over maxConnections it is dropped, and the program hears of it', async (t) => {
  const server = net.createServer((socket) => socket.resume());
  server.maxConnections = 1;
  const target = await serve(t, server);
  const first = net.connect(target);
  await once(server, 'connection');
  const second = net.connect(target);
  const [dropped] = (await once(server, 'drop')) as [net.DropArgument];
  assert.equal(dropped.remotePort !== undefined, true);
  await textOf(second).catch(() => {}); // its end
  first.end();
  await once(first, 'close');
});

test('pauseOnConnect, noDelay, keepAlive and highWaterMark are the business of the server', async (t) => {
  const server = net.createServer({
    pauseOnConnect: true,
    noDelay: true,
    keepAlive: true,
    highWaterMark: 99,
  });
  const client = net.connect(await serve(t, server));
  client.end('word');
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  assert.ok(socket.isPaused());
  assert.equal(socket.readableHighWaterMark, 99);
  const TCP = 6;
  const TCP_NODELAY = 1;
  const SOL_SOCKET = 1;
  const SO_KEEPALIVE = 9;
  const { fd } = (socket as unknown as { _handle: { fd: number } })._handle;
  assert.equal(binding.getOption(fd, TCP, TCP_NODELAY), 1);
  assert.equal(binding.getOption(fd, SOL_SOCKET, SO_KEEPALIVE), 1);
  assert.equal((socket as unknown as { server: unknown }).server, server);
  assert.equal(await textOf(socket), 'word');
  await once(client.resume(), 'close');
});

test('close() waits for it', async (t) => {
  const server = net.createServer();
  const target = await serve(t, server);
  const client = net.connect(target);
  const [socket] = (await once(server, 'connection')) as [net.Socket];
  let closed = false;
  server.close(() => {
    closed = true;
  });
  await nextTurn();
  assert.ok(!closed && !server.listening);
  socket.end();
  client.resume().end();
  await once(server, 'close');
  assert.ok(closed);
});

test('a server that is closed closes what it is given', async (t) => {
  const { target, accept } = await acceptor(t);
  const client = net.connect(target);
  const fd = await accept();
  injectConnection(net.createServer(), fd);
  assert.equal(fd.fd, -1);
  assert.equal(await textOf(client), '');
});

test('what is no socket is refused and closed', async (t) => {
  const { listener } = await acceptor(t);
  const server = net.createServer();
  await standIn(server, listener, () => {});
  t.after(() => server.close());
  const { reader, writer } = openPipe(t);
  const error = await failureOf(() => injectConnection(server, writer));
  assert.equal(error.code, 'ENOTSOCK');
  assert.equal(readNow(reader), '', 'no copy is open');
});

test('the connection of a handler that throws lives, and the caller hears of it', async (t) => {
  const { listener, target, accept } = await acceptor(t);
  const server = net.createServer((socket) => {
    socket.end('still here');
    throw new Error('of the program');
  });
  await standIn(server, listener, () => {});
  t.after(() => server.close());
  const client = net.connect(target);
  const fd = await accept();
  assert.match((await failureOf(() => injectConnection(server, fd))).message, /of the program/);
  assert.equal(await textOf(client), 'still here');
});

test('a server that stands in shows the address and the descriptor of the listener, and holds no socket', async (t) => {
  const { listener, target } = await acceptor(t);
  const server = net.createServer();
  const refs: boolean[] = [];
  const before = binding.duplicate(listener.fd); // the lowest free number
  binding.closeFd(before);
  await standIn(server, listener, (ref) => refs.push(ref));
  const after = binding.duplicate(listener.fd);
  binding.closeFd(after);
  assert.equal(after, before);
  assert.ok(server.listening);
  assert.deepEqual(server.address(), {
    address: '127.0.0.1',
    family: 'IPv4',
    port: (target as { port: number }).port,
  });
  using copy = Fd.dup(server);
  assert.equal(copy.describe().inode, listener.describe().inode);
  server.unref();
  server.ref();
  const closed = once(server, 'close');
  server.close();
  await closed;
  assert.deepEqual(refs, [true, false, true, false]);
  assert.notEqual(listener.fd, -1, 'lent');
});

test('standing in is refused for what is no listener, and to a server that listens', async (t) => {
  const { listener } = await acceptor(t);
  const { reader } = openPipe(t);
  const kind = await failureOf(standIn(net.createServer(), reader, () => {}));
  assert.equal(kind.code, 'ERR_FDPASS_WRONG_KIND');
  const server = net.createServer();
  await standIn(server, listener, () => {});
  const twice = await failureOf(standIn(server, listener, () => {}));
  assert.equal(twice.code, 'ERR_SERVER_ALREADY_LISTEN');
  server.close();
});

test('in a worker thread, too', async (t) => {
  const { listener, target, accept } = await acceptor(t);
  const script = `
    const net = require('node:net');
    const { workerData, parentPort } = require('node:worker_threads');
    const { Fd } = require(workerData.fdpass);
    const { injectConnection } = require(workerData.inject);
    const { standIn } = require(workerData.standIn);
    const server = net.createServer((socket) => { socket.end('thread'); server.close(); });
    const listener = Fd.dup(workerData.listener);
    parentPort.once('message', (number) => {
      injectConnection(server, Fd.adopt(number));
      listener.close();
    });
    standIn(server, listener, () => {}).then(() => parentPort.postMessage('listening'));
  `;
  const worker = new Worker(script, {
    eval: true,
    workerData: {
      listener: listener.fd,
      fdpass: require.resolve('fdpass'),
      inject: require.resolve('#fdpass/fd/inject'),
      standIn: require.resolve('#fdpass/fd/stand-in'),
    },
  });
  const exited = once(worker, 'exit');
  await once(worker, 'message');
  const client = net.connect(target);
  const fd = await accept();
  worker.postMessage(fd.detach());
  assert.equal(await textOf(client), 'thread');
  assert.deepEqual(await exited, [0]);
});
