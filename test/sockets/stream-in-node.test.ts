// What Node builds on a net.Socket works on a UnixStream unchanged: http, https, http2, tls, readline.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http, { type IncomingMessage } from 'node:http';
import http2 from 'node:http2';
import { createInterface } from 'node:readline';
import { buffer, text } from 'node:stream/consumers';
import test, { type TestContext } from 'node:test';
import tls from 'node:tls';
import { type UnixAddress, UnixServer, UnixStream } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { selfSigned } from '../helpers/certificate';
import { closeAfter } from '../helpers/link';
import { destroyAfter, openPair, textOf } from '../helpers/streams';

interface Server {
  emit(event: 'connection', connection: UnixStream): boolean;
}

/** A UnixServer that hands its connections to a server of Node. */
function serve(t: TestContext, server: Server): UnixAddress {
  const listener = new UnixServer().listen(`@${freshName()}`);
  closeAfter(t, listener);
  listener.on('connection', (connection) => {
    destroyAfter(t, connection);
    server.emit('connection', connection);
  });
  return listener.address();
}

function agentOf(
  t: TestContext,
  address: UnixAddress,
  keepAlive: boolean,
): { agent: http.Agent; opened: UnixStream[] } {
  const opened: UnixStream[] = [];
  const agent = Object.assign(
    new http.Agent({ keepAlive, maxSockets: keepAlive ? 2 : Number.POSITIVE_INFINITY }),
    {
      createConnection() {
        const stream = UnixStream.connect(address);
        opened.push(stream);
        return stream;
      },
    },
  );
  t.after(() => agent.destroy());
  return { agent, opened };
}

async function ask(
  options: http.RequestOptions,
  body?: Buffer,
): Promise<{ response: IncomingMessage; body: Buffer }> {
  const request = http.request({
    host: 'localhost',
    method: body === undefined ? 'GET' : 'POST',
    ...options,
  });
  request.end(body);
  const [response] = (await once(request, 'response')) as [IncomingMessage];
  return { response, body: await buffer(response) };
}

for (const keepAlive of [true, false]) {
  test(`http: 50 requests with bodies, keepAlive ${keepAlive}`, async (t) => {
    const server = http.createServer((request, response) => void request.pipe(response));
    const { agent, opened } = agentOf(t, serve(t, server), keepAlive);
    const bodies = Array.from({ length: 50 }, (_, index) => Buffer.alloc(index * 5000, index));
    const answers = await Promise.all(bodies.map((body) => ask({ agent }, body)));
    for (const [index, { body }] of answers.entries()) assert.ok(body.equals(bodies[index] as Buffer));
    assert.equal(opened.length, keepAlive ? 2 : 50);
    if (keepAlive) return;
    for (const stream of opened) if (!stream.closed) await once(stream, 'close');
  });
}

test('http: a connection that idles is closed by keepAliveTimeout', async (t) => {
  const server = http.createServer({ keepAliveTimeout: 30 }, (_, response) => void response.end('hi'));
  const client = UnixStream.connect(serve(t, server));
  destroyAfter(t, client);
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.match(await textOf(client), /hi$/);
});

test('http: a request times out on a server that says nothing', async (t) => {
  const address = serve(
    t,
    http.createServer(() => {}),
  );
  const { agent } = agentOf(t, address, false);
  const request = http.get({ agent, timeout: 20 });
  await once(request, 'timeout');
  const [error] = await Promise.all([once(request, 'error'), request.destroy(new Error('too slow'))]);
  assert.match(String(error), /too slow/);
});

test("http: 'Connection: close' ends the connection, also for a client that would keep it half open", async (t) => {
  const server = http.createServer(
    (_, response) => void response.setHeader('connection', 'close').end('bye'),
  );
  const client = UnixStream.connect(serve(t, server), { allowHalfOpen: true });
  destroyAfter(t, client);
  client.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n');
  assert.match(await text(client), /bye$/);
  assert.ok(client.readableEnded);
});

test('http: an upgraded connection carries bytes both ways', async (t) => {
  const server = http.createServer();
  server.on('upgrade', (_, socket) => {
    socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n');
    socket.pipe(socket);
  });
  const { agent } = agentOf(t, serve(t, server), false);
  const request = http.get({ agent, headers: { connection: 'Upgrade', upgrade: 'echo' } });
  const [, socket] = (await once(request, 'upgrade')) as [IncomingMessage, UnixStream];
  assert.ok(socket instanceof UnixStream);
  socket.end('echo');
  assert.equal(await text(socket), 'echo');
});

test('http2: 50 requests over one connection', async (t) => {
  const server = http2.createServer((request, response) => void request.pipe(response));
  const session = http2.connect('http://localhost', {
    createConnection: () => UnixStream.connect(serve(t, server)),
  });
  t.after(() => session.destroy());
  const answers = Array.from({ length: 50 }, async (_, index) => {
    const stream = session.request({ ':method': 'POST' });
    stream.end(Buffer.alloc(index * 3000, index));
    return (await buffer(stream)).length;
  });
  assert.deepEqual(
    await Promise.all(answers),
    answers.map((_, index) => index * 3000),
  );
});

test('tls: bytes both ways, and the end', async (t) => {
  const { key, cert } = selfSigned(t);
  const server = tls.createServer({ key, cert }, (socket) => void socket.pipe(socket));
  const socket = UnixStream.connect(serve(t, server));
  const client = tls.connect({ socket, ca: cert, servername: 'localhost' });
  t.after(() => void client.destroy());
  await once(client, 'secureConnect');
  assert.ok(client.authorized);
  const body = Buffer.alloc(1_000_000, 'tls');
  client.write(body);
  const echo: Buffer[] = [];
  let left = body.length;
  await new Promise<void>((resolve) => {
    client.on('data', (data: Buffer) => {
      echo.push(data);
      left -= data.length;
      if (left === 0) resolve();
    });
  });
  assert.ok(Buffer.concat(echo).equals(body));
  client.end();
  if (!socket.closed) await once(socket, 'close');
});

test('tls: a client that does not trust the certificate ends with its error', async (t) => {
  const { key, cert } = selfSigned(t);
  const server = tls.createServer({ key, cert });
  server.on('tlsClientError', () => {});
  const client = tls.connect({ socket: UnixStream.connect(serve(t, server)), servername: 'localhost' });
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'DEPTH_ZERO_SELF_SIGNED_CERT');
});

test('readline reads lines, however they were cut', async (t) => {
  const [left, right] = openPair(t);
  const lines: string[] = [];
  left.write('one\ntw');
  left.write('o\r\nthree\n');
  left.end('four');
  for await (const line of createInterface({ input: right })) lines.push(line);
  assert.deepEqual(lines, ['one', 'two', 'three', 'four']);
});
