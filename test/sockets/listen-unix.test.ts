// listenUnix: every server of Node on every kind of unix address; who owns the file, and what a failure leaves.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  existsSync,
  linkSync,
  lstatSync,
  readdirSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import test, { after, type TestContext } from 'node:test';
import tls from 'node:tls';
import { Fd, UnixAddress } from 'fdpass';
import { SOCK_STREAM } from '#fdpass/fd/describe';
import { binding } from '#fdpass/native/binding';
import { connectUnix } from '#fdpass/sockets/connect-unix';
import { listenUnix } from '#fdpass/sockets/listen-unix';
import { freshName } from '../helpers/address-name';
import { selfSigned } from '../helpers/certificate';
import { startFixture } from '../helpers/child';
import { settledFdCount } from '../helpers/fd-count';
import { failureOf } from '../helpers/outcome';
import { tmpDir } from '../helpers/tmp-dir';

const certificate = selfSigned({ after });

const places: Record<string, (t: TestContext) => string> = {
  path: (t) => path.join(tmpDir(t), 's'),
  abstract: () => `@${freshName()}`,
};

async function textOf(stream: AsyncIterable<string | Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

async function close(server: net.Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await closed;
}

/** A server that says 'hello', and a client that says what it heard. */
interface Protocol {
  serve(): net.Server;
  ask(at: string): Promise<string>;
}

const protocols: Record<string, Protocol> = {
  net: {
    serve: () => net.createServer((socket) => socket.end('hello')),
    ask: (at) => textOf(connectUnix(at)),
  },
  tls: {
    serve: () => tls.createServer(certificate, (socket) => socket.end('hello')),
    ask: (at) => textOf(secure(at)),
  },
  http: {
    serve: () => http.createServer((_, response) => response.end('hello')),
    ask: (at) => answerTo(http.get({ createConnection: () => connectUnix(at) })),
  },
  https: {
    serve: () => https.createServer(certificate, (_, response) => response.end('hello')),
    ask: (at) => answerTo(https.get({ createConnection: () => secure(at) })),
  },
  http2: {
    serve: () => http2.createServer((_, response) => response.end('hello')),
    ask: (at) => askHttp2('http://localhost', () => connectUnix(at)),
  },
  'http2 over tls': {
    serve: () => http2.createSecureServer(certificate, (_, response) => response.end('hello')),
    ask: (at) => askHttp2('https://localhost', () => secure(at, ['h2'])),
  },
};

function secure(at: string, ALPNProtocols?: string[]): tls.TLSSocket {
  const trust = { ca: certificate.cert, servername: 'localhost' };
  return tls.connect({ socket: connectUnix(at), ...trust, ...(ALPNProtocols ? { ALPNProtocols } : {}) });
}

async function answerTo(request: http.ClientRequest): Promise<string> {
  const [response] = (await once(request, 'response')) as [http.IncomingMessage];
  return await textOf(response);
}

async function askHttp2(authority: string, createConnection: () => net.Socket): Promise<string> {
  const session = http2.connect(authority, { createConnection });
  const text = await textOf(session.request({ ':path': '/' }).setEncoding('utf8'));
  const closed = once(session, 'close');
  session.close();
  await closed;
  return text;
}

for (const [protocol, { serve, ask }] of Object.entries(protocols)) {
  for (const [kind, place] of Object.entries(places)) {
    test(`${protocol}, ${kind}: the server answers, says where, and leaves nothing when it closes`, async (t) => {
      const at = place(t);
      const before = await settledFdCount();
      const server = serve();
      let listening = 0;
      server.on('listening', () => listening++);
      assert.equal(await listenUnix(server, at), server);
      assert.equal(listening, 1);
      assert.ok(server.listening);
      assert.equal(server.address(), at.replace(/^@/, '\0'));
      assert.equal(await ask(at), 'hello');
      await close(server);
      assert.equal(server.address(), null);
      assert.equal(existsSync(at), false);
      assert.equal(await settledFdCount(), before);
    });
  }
}

test('an abstract name has exactly the length that was given', async () => {
  const name = freshName();
  const server = await listenUnix(net.createServer(), `@${name}`);
  using fd = Fd.dup(server);
  assert.deepEqual((fd.describe().local as UnixAddress).bytes, Buffer.from(name));
  await close(server);
});

test('an unnamed address makes the kernel pick a name, which the server tells', async () => {
  const server = await listenUnix(
    net.createServer((socket) => socket.end('picked')),
    UnixAddress.unnamed,
  );
  assert.match(server.address() as string, /^\0[0-9a-f]{5}$/);
  assert.equal(await textOf(connectUnix(server.address() as string)), 'picked');
  await close(server);
});

test('the mode holds against the umask', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const before = process.umask(0o077);
  const server = await listenUnix(net.createServer(), at, { mode: 0o666 });
  process.umask(before);
  assert.equal(statSync(at).mode & 0o777, 0o666);
  await close(server);
});

test('a leftover is EADDRINUSE, unless it is to be replaced', async (t) => {
  const at = path.join(tmpDir(t), 's');
  await close(await listenUnix(net.createServer(), at, { unlinkOnClose: false }));
  assert.ok(existsSync(at));
  const server = net.createServer();
  const error = await failureOf(listenUnix(server, at));
  assert.equal(error.code, 'EADDRINUSE');
  assert.equal(error.address, at);
  assert.equal(server.listening, false);
  await listenUnix(server, at, { replaceStale: true });
  await close(server);
  assert.equal(existsSync(at), false);
});

test('of two servers on one name the second fails, and the first one serves on', async (t) => {
  for (const place of Object.values(places)) {
    const at = place(t);
    const first = await listenUnix(
      // The probe for a leftover is a client that goes at once.
      net.createServer((socket) => socket.on('error', () => {}).end('first')),
      at,
    );
    const before = await settledFdCount();
    for (const replaceStale of [false, true]) {
      const error = await failureOf(listenUnix(net.createServer(), at, { replaceStale }));
      assert.equal(error.code, 'EADDRINUSE');
    }
    assert.equal(await settledFdCount(), before);
    assert.equal(await textOf(connectUnix(at)), 'first');
    await close(first);
  }
});

/** All the ways in which a server stops. */
const closings: Record<string, (server: net.Server) => unknown> = {
  'server.close()': (server) => server.close(),
  'net.Server.prototype.close.call(server)': (server) => net.Server.prototype.close.call(server),
  'await using': (server) => server[Symbol.asyncDispose](),
};

for (const [how, stop] of Object.entries(closings)) {
  test(`${how} removes the file, and not one that took the name over`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    for (const server of [net.createServer(), http.createServer()]) {
      await listenUnix(server, at);
      let closed = once(server, 'close');
      void stop(server);
      assert.equal(existsSync(at), false, 'at once, as the socket');
      await closed;

      await listenUnix(server, at);
      unlinkSync(at);
      writeFileSync(at, 'a stranger');
      closed = once(server, 'close');
      void stop(server);
      await closed;
      assert.ok(lstatSync(at).isFile());
      unlinkSync(at);
    }
  });
}

test('a file that was moved away or linked elsewhere is left there', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const server = await listenUnix(net.createServer(), at);
  linkSync(at, `${at}.link`);
  renameSync(at, `${at}.moved`);
  await close(server);
  assert.deepEqual(readdirSync(folder), ['s.link', 's.moved']);
});

test('a server listens again and again, here and with listen() of its own', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = net.createServer((socket) => socket.end('again'));
  for (let round = 0; round < 3; round++) {
    await listenUnix(server, at);
    assert.equal(await textOf(connectUnix(at)), 'again');
    await close(server);
  }
  server.listen(at);
  await once(server, 'listening');
  assert.equal(server.address(), at);
  const other = net.createServer().listen(0, '127.0.0.1');
  await once(other, 'listening');
  await close(other);
  await close(server);
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  assert.equal(typeof (server.address() as net.AddressInfo).port, 'number');
  await close(server);
});

test('a server that is closed before its promise settles leaves no file', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = net.createServer();
  const listening = listenUnix(server, at);
  const closed = once(server, 'close');
  server.close();
  assert.equal(existsSync(at), false);
  await listening;
  await closed;
});

test('connections outlive the server’s close, and the name is free meanwhile', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = await listenUnix(
    net.createServer((socket) => socket.pipe(socket)),
    at,
  );
  const client = connectUnix(at);
  const connection = once(server, 'connection');
  await once(client, 'connect');
  await connection;
  const closed = once(server, 'close');
  server.close();
  const next = await listenUnix(net.createServer(), at);
  client.end('still here');
  assert.equal(await textOf(client), 'still here');
  await closed;
  assert.ok(existsSync(at), 'the file is the second one’s');
  await close(next);
});

test('the backlog that was asked for is the listener’s', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = await listenUnix(net.createServer(), at, { backlog: 1, unlinkOnClose: false });
  using _copy = Fd.dup(server); // keeps the listener open, and nobody accepts
  await close(server);
  const clients = Array.from({ length: 3 }, () => Fd.own(binding.openSocket(SOCK_STREAM)));
  // A backlog of n admits n + 1.
  const connect = (client: Fd) => () => binding.connect(client.fd, Buffer.from(at));
  const [first, second, third] = clients.map(connect) as [() => void, () => void, () => void];
  first();
  second();
  assert.throws(third, { code: 'EAGAIN' });
  for (const client of clients) client.close();
});

test('what is misused rejects, and nothing is made', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const before = await settledFdCount();
  const server = net.createServer();
  const cases: [Promise<unknown>, string][] = [
    [listenUnix({} as net.Server, at), 'ERR_INVALID_ARG_TYPE'],
    [listenUnix(server, 7 as unknown as string), 'ERR_INVALID_ARG_TYPE'],
    [listenUnix(server, 'x'.repeat(108)), 'ERR_OUT_OF_RANGE'],
    [listenUnix(server, at, null as unknown as object), 'ERR_INVALID_ARG_TYPE'],
    [listenUnix(server, at, { backlog: 0 }), 'ERR_OUT_OF_RANGE'],
    [listenUnix(server, at, { mode: 0o1000 }), 'ERR_OUT_OF_RANGE'],
  ];
  for (const [outcome, code] of cases) assert.equal((await failureOf(outcome)).code, code);
  assert.deepEqual(readdirSync(folder), []);
  assert.equal(await settledFdCount(), before);
  assert.equal(server.listening, false);
});

test('a server that listens already is refused before the name is touched', async (t) => {
  const folder = tmpDir(t);
  const server = await listenUnix(net.createServer(), path.join(folder, 'a'));
  const before = await settledFdCount();
  const error = await failureOf(listenUnix(server, path.join(folder, 'b'), { replaceStale: true }));
  assert.equal(error.code, 'ERR_SERVER_ALREADY_LISTEN');
  assert.deepEqual(readdirSync(folder), ['a']);
  assert.equal(await settledFdCount(), before);
  await close(server);
});

test('a folder that is missing is told with the address', async (t) => {
  const at = path.join(tmpDir(t), 'missing', 's');
  const server = net.createServer();
  const { code, syscall, address } = await failureOf(listenUnix(server, at));
  assert.deepEqual({ code, syscall, address }, { code: 'ENOENT', syscall: 'bind', address: at });
  await listenUnix(server, places['abstract']?.(t) ?? '');
  await close(server);
});

test('in a cluster worker it is refused, and nothing is left behind', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const { code, stdout, stderr } = await startFixture(t, 'unix-in-cluster', [at]).ended;
  assert.equal(stderr, '');
  assert.equal(stdout, 'ERR_FDPASS_CLUSTER_WORKER\n');
  assert.equal(code, 0);
  assert.deepEqual(readdirSync(folder), []);
});
