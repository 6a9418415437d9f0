// UnixSeqpacketServer and its connections: listening, accepting, refusing, adopting.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { Fd, UnixAddress, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { failureOf, systemFields } from '../helpers/outcome';
import { SLOWNESS } from '../helpers/slowness';
import { tmpDir } from '../helpers/tmp-dir';

async function accept(server: UnixSeqpacketServer): Promise<UnixSeqpacket> {
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  return connection;
}

test('listen() binds now and says so later', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = new UnixSeqpacketServer();
  closeAfter(t, server);
  const listening = once(server, 'listening');
  assert.equal(server.listen(at), server);
  assert.ok(server.listening);
  assert.ok(server.address().equals(at));
  await listening;
});

test('both ends know each other’s address', async (t) => {
  const name = UnixAddress.abstract(Buffer.from(`${freshName()}\0\xff\x01`, 'latin1'));
  const server = new UnixSeqpacketServer().listen(name);
  const client = new UnixSeqpacket();
  closeAfter(t, server, client);
  const accepted = accept(server);
  const connected = once(client, 'connect');
  assert.equal(client.connect(name), client);
  await connected;
  const connection = await accepted;
  closeAfter(t, connection);
  assert.ok(client.remoteAddress().equals(name));
  assert.ok(connection.address().equals(name));
  assert.ok(connection.remoteAddress().equals(UnixAddress.unnamed));
});

test('many clients are all accepted, and served apart', async (t) => {
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  server.on('connection', (connection: UnixSeqpacket) => {
    closeAfter(t, connection);
    connection.on('message', ({ data }) => void connection.send(`you said ${data}`));
  });
  const clients = Array.from({ length: 100 }, () => new UnixSeqpacket().connect(server.address()));
  closeAfter(t, ...clients);
  await Promise.all(clients.map((client, i) => client.send(`${i}`)));
  const answers = await Promise.all(clients.map((client) => client.receive()));
  assert.deepEqual(
    answers.map((answer) => answer?.data.toString()),
    clients.map((_, i) => `you said ${i}`),
  );
});

test('connecting to nobody tells where and why, and the socket can try again', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const client = new UnixSeqpacket();
  closeAfter(t, client);
  const shape = {
    code: 'ENOENT',
    errno: -2,
    syscall: 'connect',
    address: at,
    message: `connect ENOENT ${at}`,
  };
  assert.deepEqual(systemFields(await failureOf(() => client.connect(at))), shape);
  await new UnixSeqpacketServer().listen(at, { unlinkOnClose: false }).close();
  assert.equal((await failureOf(() => client.connect(at))).code, 'ECONNREFUSED');
  assert.equal((await failureOf(() => client.connect(`@${freshName()}`))).code, 'ECONNREFUSED');
  const server = new UnixSeqpacketServer().listen(at, { replaceStale: true });
  closeAfter(t, server);
  client.connect(at);
  closeAfter(t, await accept(server));
  assert.equal((await failureOf(() => client.connect(at))).code, 'EISCONN');
});

test('another type of socket is EPROTOTYPE by path', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const client = new UnixSeqpacket();
  closeAfter(t, client, new UnixDatagram().bind(at));
  assert.equal((await failureOf(() => client.connect(at))).code, 'EPROTOTYPE');
});

test('a backlog of n lets n + 1 in, the next is EAGAIN', async (t) => {
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`, { backlog: 1 });
  closeAfter(t, server);
  server.on('connection', (connection) => closeAfter(t, connection));
  const clients = [1, 2, 3].map(() => new UnixSeqpacket());
  closeAfter(t, ...clients);
  clients[0]?.connect(server.address());
  clients[1]?.connect(server.address());
  assert.equal((await failureOf(() => clients[2]?.connect(server.address()))).code, 'EAGAIN');
  await once(server, 'connection');
  clients[2]?.connect(server.address());
  await once(server, 'connection');
});

test('a backlog that is none is refused and nothing is bound', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const before = await settledFdCount();
  const server = new UnixSeqpacketServer();
  for (const backlog of [-1, 1.5]) {
    assert.equal((await failureOf(() => server.listen(at, { backlog }))).code, 'ERR_OUT_OF_RANGE');
  }
  assert.equal(existsSync(at), false);
  assert.equal(await settledFdCount(), before);
  assert.throws(() => new UnixSeqpacketServer({ maxFds: 254 }), RangeError);
  await server.close();
});

test('an address in use is told, and the server can listen elsewhere', async (t) => {
  const name = `@${freshName()}`;
  const server = new UnixSeqpacketServer();
  closeAfter(t, new UnixSeqpacketServer().listen(name), server);
  const error = await failureOf(() => server.listen(name));
  assert.equal(error.message, `bind EADDRINUSE ${name} (held by this process, pid ${process.pid})`);
  assert.equal(server.listening, false);
  server.listen(`@${freshName()}`);
});

test('connections live on when the server closes', async (t) => {
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  const client = new UnixSeqpacket().connect(server.address());
  const connection = await accept(server);
  closeAfter(t, client, connection);
  await server.close();
  await client.send('still here');
  assert.equal((await connection.receive())?.data.toString(), 'still here');
});

test('a client whose server closes before accept sees the end', async (t) => {
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  const client = new UnixSeqpacket().connect(server.address());
  closeAfter(t, client);
  await server.close();
  assert.equal((await failureOf(client.receive())).code, 'ECONNRESET');
  assert.equal(await client.receive(), null);
  assert.equal(client.closed, true);
});

test('the options of the server are those of its connections', async (t) => {
  const server = new UnixSeqpacketServer({ maxFds: 1, maxBytes: 3 }).listen(`@${freshName()}`);
  const client = new UnixSeqpacket().connect(server.address());
  closeAfter(t, server, client);
  await client.send('12345', { fds: [0] });
  const connection = await accept(server);
  closeAfter(t, connection);
  const message = await connection.receive();
  assert.equal(message?.truncated, true);
  assert.equal(message?.fds.length, 1);
  message?.fds[0]?.close();
});

test('an adopted listener serves with its own options, and its file stays its maker’s', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const maker = new UnixSeqpacketServer().listen(at); // maxFds 0
  closeAfter(t, maker);
  const fd = Fd.dup(maker);
  const heir = UnixSeqpacketServer.adopt(fd, { maxFds: 1 });
  assert.equal(fd.fd, -1);
  maker.unref();
  maker.removeAllListeners('connection');
  const accepted = Promise.race([accept(heir), accept(maker)]);
  const client = new UnixSeqpacket().connect(at);
  closeAfter(t, client);
  assert.ok(client.trySend('x', { fds: [0] }), 'the listener lets descriptors through again');
  closeAfter(t, await accepted);
  await heir.close();
  assert.ok(existsSync(at));
});

test('adopt with holdName removes the file', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const maker = new UnixSeqpacketServer().listen(at, { unlinkOnClose: false });
  const heir = UnixSeqpacketServer.adopt(Fd.dup(maker), { holdName: true });
  await maker.close();
  assert.ok(existsSync(at));
  await heir.close();
  assert.equal(existsSync(at), false);
});

test('adopt refuses what does not listen and does not consume it', async (t) => {
  const [left, right] = UnixSeqpacket.pair();
  const datagram = new UnixDatagram();
  closeAfter(t, left, right, datagram);
  for (const wrong of [Fd.dup(left), Fd.dup(datagram)]) {
    const error = await failureOf(() => UnixSeqpacketServer.adopt(wrong));
    assert.equal(error.code, 'ERR_FDPASS_WRONG_KIND');
    assert.match(error.message, /^expected a listening AF_UNIX seqpacket socket; descriptor \d+ is a unix /);
    assert.notEqual(wrong.fd, -1);
    wrong.close();
  }
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  using listener = Fd.dup(server);
  assert.throws(() => UnixSeqpacket.adopt(listener), { code: 'ERR_FDPASS_WRONG_KIND' });
});

test('an adopted connection goes on where the former owner stopped', async (t) => {
  const [left, right] = UnixSeqpacket.pair();
  closeAfter(t, left);
  await left.send('one');
  await left.send('two');
  assert.equal((await right.receive())?.data.toString(), 'one');
  const adopted = UnixSeqpacket.adopt(Fd.dup(right));
  closeAfter(t, adopted);
  await right.close();
  assert.equal((await adopted.receive())?.data.toString(), 'two');
  await left.close();
  assert.equal(await adopted.receive(), null);
});

test('out of descriptors: said, not spun on, and every connection is served once there are some', async (t) => {
  const child = startFixture(t, 'accept-without-descriptors', ['seqpacket']);
  const { code, signal, stdout, stderr } = await child.ended;
  assert.equal(stderr, '');
  const report = JSON.parse(stdout) as { errors: string[]; busyMs: number; served: number; lost: number };
  assert.equal(report.errors.length, 1);
  assert.match(String(report.errors[0]), /^(accept|fcntl) EMFILE$/);
  // Who spins takes all of it. An emulator takes a while for what is to be done.
  assert.ok(report.busyMs < (SLOWNESS > 1 ? 250 : 100), `${report.busyMs} ms of CPU in 300 ms`);
  assert.ok(report.lost <= 1, 'at most the one that was accepted and could not be watched');
  assert.equal(report.served + report.lost, 8);
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});
