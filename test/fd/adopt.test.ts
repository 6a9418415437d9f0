// adoptServer, adoptSocket, adoptUdp: Node serves an adopted descriptor; who owns it after success and after failure.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { closeSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { adoptServer, adoptSocket, adoptUdp, Fd, UnixAddress, UnixDatagram } from 'fdpass';
import { binding } from '#fdpass/native/binding';
import { startFixture } from '../helpers/child';
import { fdCount, settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { openPipe } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';

const SOCK_STREAM = 1;

function tcpListener(): Fd {
  return Fd.own(binding.listenTcp('127.0.0.1', 0, 8, false, false));
}

function unixListener(t: TestContext): Fd {
  const fd = Fd.own(binding.openSocket(SOCK_STREAM));
  binding.bind(fd.fd, Buffer.from(path.join(tmpDir(t), 's')));
  binding.listen(fd.fd, 8);
  return fd;
}

async function closed(server: net.Server): Promise<void> {
  server.close();
  await once(server, 'close');
}

// net.Server.address() knows no path that it did not bind itself.
function whereabouts(fd: Fd): { path: string } | { port: number; host: string } {
  const { local } = fd.describe();
  if (local instanceof UnixAddress) return { path: local.toString() };
  return { port: local?.port ?? 0, host: local?.address ?? '' };
}

const listeners: [string, (t: TestContext) => Fd][] = [
  ['TCP', () => tcpListener()],
  ['unix', unixListener],
];

for (const [kind, open] of listeners) {
  test(`a net.Server accepts on an adopted ${kind} listener and consumes it`, async (t) => {
    const fd = open(t);
    const where = whereabouts(fd);
    const server = await adoptServer(
      net.createServer((socket) => socket.end('hello')),
      fd,
    );
    assert.equal(fd.fd, -1);
    assert.ok(server.listening);
    let text = '';
    for await (const chunk of net.connect(where)) text += chunk;
    assert.equal(text, 'hello');
    await closed(server);
  });

  test(`an http.Server answers on an adopted ${kind} listener`, async (t) => {
    const fd = open(t);
    const { path: socketPath, ...rest } = { path: undefined, ...whereabouts(fd) };
    const where = socketPath === undefined ? rest : { socketPath };
    const server = await adoptServer(
      http.createServer((_, response) => response.end('hi')),
      fd,
    );
    const request = http.get({ ...where, agent: false });
    const [response] = (await once(request, 'response')) as [http.IncomingMessage];
    let text = '';
    for await (const chunk of response) text += chunk;
    assert.equal(text, 'hi');
    await closed(server);
  });
}

test('connections that waited in the queue before the adoption are served', async () => {
  const fd = tcpListener();
  const local = fd.describe().local as net.AddressInfo;
  const early = net.connect(local.port, '127.0.0.1');
  await once(early, 'connect');
  const server = await adoptServer(
    net.createServer((socket) => socket.end('late')),
    fd,
  );
  let text = '';
  for await (const chunk of early) text += chunk;
  assert.equal(text, 'late');
  await closed(server);
});

test('the wrong kind is refused, named, and stays the caller’s', async (t) => {
  const { reader } = openPipe(t);
  const cases: [Fd, RegExp][] = [
    [Fd.own(binding.openSocket(SOCK_STREAM)), /is a unix stream socket on \(unnamed\): /],
    [
      Fd.own(binding.bindUdp('127.0.0.1', 0, false, false)),
      /is a UDP socket on 127\.0\.0\.1:\d+: adoptUdp\(\) takes it$/,
    ],
    [Fd.dup(reader), /is a pipe open for reading only: adoptSocket\(\) takes it$/],
  ];
  for (const [fd, text] of cases) {
    await assert.rejects(adoptServer(net.createServer(), fd), (error: NodeJS.ErrnoException) => {
      assert.equal(error.code, 'ERR_FDPASS_WRONG_KIND');
      assert.match(error.message, /^expected a listening stream socket; descriptor \d+ /);
      assert.match(error.message, text);
      return true;
    });
    assert.notEqual(fd.fd, -1);
    fd.close();
  }
});

test('a closed Fd cannot be adopted', async () => {
  const fd = tcpListener();
  fd.close();
  await assert.rejects(adoptServer(net.createServer(), fd), { code: 'ERR_FDPASS_CLOSED' });
  assert.throws(() => adoptSocket(fd), { code: 'ERR_FDPASS_CLOSED' });
  await assert.rejects(adoptUdp(fd), { code: 'ERR_FDPASS_CLOSED' });
});

test('a server that listens already leaves the Fd whole, and nothing open or listening behind', async () => {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const fd = tcpListener();
  const before = fdCount();
  await assert.rejects(adoptServer(server, fd), { code: 'ERR_SERVER_ALREADY_LISTEN' });
  assert.notEqual(fd.fd, -1);
  assert.equal(fdCount(), before);
  assert.equal(server.listenerCount('listening') + server.listenerCount('error'), 0);
  const second = await adoptServer(net.createServer(), fd);
  await closed(second);
  await closed(server);
});

test('a backlog that is no positive integer is refused first', async () => {
  using fd = tcpListener();
  for (const backlog of [0, -1, 1.5]) {
    await assert.rejects(adoptServer(net.createServer(), fd, { backlog }), { code: 'ERR_OUT_OF_RANGE' });
  }
  assert.notEqual(fd.fd, -1);
});

test('the backlog that was asked for is the listener’s', async (t) => {
  const fd = unixListener(t);
  using copy = Fd.dup(fd);
  const at = (fd.describe().local as UnixAddress).sunPath;
  const server = await adoptServer(net.createServer(), fd, { backlog: 1 });
  await closed(server);
  // A backlog of n admits n + 1; the copy keeps the listener open and nobody accepts.
  const clients = Array.from({ length: 3 }, () => Fd.own(binding.openSocket(SOCK_STREAM)));
  const outcomes = clients.map((client) => {
    try {
      binding.connect(client.fd, at);
      return 'connected';
    } catch (error) {
      return (error as NodeJS.ErrnoException).code;
    }
  });
  assert.deepEqual(outcomes, ['connected', 'connected', 'EAGAIN']);
  for (const client of clients) client.close();
  assert.notEqual(copy.fd, -1);
});

test('a connected stream and a TCP connection become net.Sockets', async (t) => {
  const [one, other] = binding.openPair(SOCK_STREAM).map(Fd.own) as [Fd, Fd];
  const sockets = [adoptSocket(one), adoptSocket(other)] as [net.Socket, net.Socket];
  assert.equal(one.fd, -1);
  t.after(() => {
    for (const socket of sockets) socket.destroy();
  });
  sockets[0].end('over');
  let text = '';
  for await (const chunk of sockets[1]) text += chunk;
  assert.equal(text, 'over');

  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [theirs] = await accepted;
  const mine = adoptSocket(Fd.dup(theirs), { pauseOnCreate: true });
  theirs.destroy(); // the duplicate keeps the connection
  client.end('ping');
  assert.equal(mine.remotePort, client.localPort);
  text = '';
  for await (const chunk of mine) text += chunk;
  assert.equal(text, 'ping');
  await closed(server);
});

test('a pipe becomes a net.Socket', async (t) => {
  const { reader, writer } = openPipe(t);
  const socket = adoptSocket(Fd.dup(reader));
  const output = adoptSocket(Fd.dup(writer));
  reader.close();
  writer.close();
  output.end('through');
  let text = '';
  for await (const chunk of socket) text += chunk;
  assert.equal(text, 'through');
});

test('what net.Socket would misread is refused and stays the caller’s', (t) => {
  const datagram = new UnixDatagram();
  closeAfter(t, datagram);
  const refused = [tcpListener(), Fd.own(binding.openSocket(SOCK_STREAM)), Fd.dup(datagram)];
  for (const fd of refused) {
    assert.throws(() => adoptSocket(fd), {
      code: 'ERR_FDPASS_WRONG_KIND',
      message: /^expected a connected stream/,
    });
    assert.notEqual(fd.fd, -1);
    fd.close();
  }
});

test('a UDP socket becomes a dgram.Socket, IPv4 and IPv6', async () => {
  for (const [type, host] of [
    ['udp4', '127.0.0.1'],
    ['udp6', '::1'],
  ] as const) {
    const fd = Fd.own(binding.bindUdp(host, 0, false, type === 'udp6'));
    const socket = await adoptUdp(fd);
    assert.equal(fd.fd, -1);
    const { address, port } = socket.address();
    assert.equal(address, host);
    const received = once(socket, 'message') as Promise<[Buffer]>;
    const client = dgram.createSocket(type);
    client.send('hello', port, host);
    assert.equal(String((await received)[0]), 'hello');
    client.close();
    socket.close();
    await once(socket, 'close');
  }
});

test('adoptUdp refuses AF_UNIX datagrams and TCP', async (t) => {
  const datagram = new UnixDatagram();
  closeAfter(t, datagram);
  for (const fd of [Fd.dup(datagram), tcpListener()]) {
    await assert.rejects(adoptUdp(fd), { code: 'ERR_FDPASS_WRONG_KIND', message: /^expected a UDP socket/ });
    assert.notEqual(fd.fd, -1);
    closeSync(fd.detach());
  }
});

test('adopting and closing leaves no descriptor behind', async () => {
  const before = await settledFdCount();
  for (let i = 0; i < 20; i++) {
    await closed(await adoptServer(net.createServer(), tcpListener()));
    const [one, other] = binding.openPair(SOCK_STREAM).map(Fd.own) as [Fd, Fd];
    const sockets = [adoptSocket(one), adoptSocket(other)];
    const ends = sockets.map((socket) => once(socket, 'close'));
    for (const socket of sockets) socket.destroy();
    await Promise.all(ends);
  }
  assert.equal(await settledFdCount(), before);
});

test('in a cluster worker a UDP socket is adopted there, and a listener is refused and kept', async (t) => {
  const { code, signal, stdout, stderr } = await startFixture(t, 'cluster-worker').ended;
  assert.equal(stderr, '');
  assert.equal(stdout, '127.0.0.1\nERR_FDPASS_CLUSTER_WORKER\nkept\n');
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});
