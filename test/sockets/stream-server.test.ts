// UnixServer: listening, accepting, refusing, adopting, and running out of descriptors.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync, statSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd, UnixServer, UnixStream } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { failureOf } from '../helpers/outcome';
import { SLOWNESS } from '../helpers/slowness';
import { destroyAfter, textOf } from '../helpers/streams';
import { tmpDir } from '../helpers/tmp-dir';

async function accept(server: UnixServer): Promise<UnixStream> {
  const [connection] = (await once(server, 'connection')) as [UnixStream];
  return connection;
}

test('listen() binds now and says so later; close() removes the file', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = new UnixServer();
  assert.equal(server.listening, false);
  assert.equal(server.fd, -1);
  const listening = once(server, 'listening');
  assert.equal(server.listen(at, { mode: 0o600 }), server);
  assert.equal(statSync(at).mode & 0o777, 0o600);
  assert.ok(server.address().equals(at));
  await listening;
  const closed = once(server, 'close');
  await server.close();
  await closed;
  assert.equal(existsSync(at), false);
  await server.close();
});

test('many clients are all accepted, and served apart', async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  server.on('connection', (connection) => void connection.pipe(connection));
  const clients = Array.from({ length: 100 }, () => UnixStream.connect(server.address()));
  const answers = clients.map((client, index) => textOf(client.end(`${index}`)));
  assert.deepEqual(
    await Promise.all(answers),
    clients.map((_, index) => `${index}`),
  );
  for (const client of clients) if (!client.closed) await once(client, 'close');
});

test('a connection that nobody listens for is closed at once', async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  const client = UnixStream.connect(server.address());
  assert.equal(await textOf(client), '');
});

test('a handler that throws costs none of the connections behind it', async (t) => {
  const { code, signal, stdout, stderr } = await startFixture(t, 'throwing-connection-handler').ended;
  assert.equal(stderr, '');
  assert.deepEqual(JSON.parse(stdout), { thrown: 5, served: 5 });
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('the options of the server are those of its connections', async (t) => {
  const server = new UnixServer({ maxFds: 1, allowHalfOpen: true, credentials: true }).listen(
    `@${freshName()}`,
  );
  closeAfter(t, server);
  const client = UnixStream.connect(server.address());
  destroyAfter(t, client);
  const log: string[] = [];
  const sent = client.send('early', { fds: [0] });
  const connection = await accept(server);
  destroyAfter(t, connection);
  connection.on('credentials', ({ pid }) => log.push(`credentials ${pid === process.pid}`));
  connection.on('fds', ([fd]) => {
    log.push('fds');
    fd?.close();
  });
  client.end();
  log.push(await textOf(connection));
  await sent;
  assert.deepEqual(log, ['credentials true', 'fds', 'early']);
  assert.equal(connection.destroyed, false);
});

test('without maxFds nobody can leave descriptors with a connection that waits to be accepted', async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  const client = RawSocket.open('stream').connect(server.address());
  t.after(() => client.close());
  const error = await failureOf(() => {
    client.send('x', { fds: [0] });
    throw Object.assign(new Error(), { code: 'SENT' }); // before Linux 6.16
  });
  assert.ok(['EPERM', 'SENT'].includes(error.code), error.code);
  destroyAfter(t, await accept(server));
});

test('wrong options and arguments are refused, and nothing is bound', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const before = await settledFdCount();
  for (const options of [
    null,
    { maxFds: 254 },
    { highWaterMark: 1.5 },
    { sendBufferSize: 0 },
    { signal: {} },
  ]) {
    assert.throws(() => new UnixServer(options as object), /^(Range|Type)Error/);
  }
  const server = new UnixServer();
  assert.equal((await failureOf(() => server.listen(at, { backlog: -1 }))).code, 'ERR_OUT_OF_RANGE');
  assert.equal((await failureOf(() => server.listen(path.join(at, 'none')))).code, 'ENOENT');
  assert.equal(existsSync(at), false);
  server.listen(at);
  assert.equal((await failureOf(() => server.listen(at))).code, 'ERR_FDPASS_LISTENING');
  assert.equal((await failureOf(() => new UnixServer().listen(at))).code, 'EADDRINUSE');
  await server.close();
  assert.equal((await failureOf(() => server.listen(at))).code, 'ERR_FDPASS_CLOSED');
  assert.equal((await failureOf(() => server.address())).code, 'ERR_FDPASS_CLOSED');
  assert.equal(await settledFdCount(), before);
});

test('connections live on when the server closes, those that wait are reset', async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`);
  const [first, second] = [1, 2].map(() => UnixStream.connect(server.address())) as [UnixStream, UnixStream];
  destroyAfter(t, first, second);
  const ends: UnixStream[] = [];
  server.on('connection', (connection) => {
    ends.push(connection);
    destroyAfter(t, connection);
    void server.close();
  });
  await once(server, 'close');
  await nextTurn();
  assert.equal(ends.length, 1, 'close() inside the handler accepts no more');
  await ends[0]?.send('still here');
  const [chunk] = await once(first, 'data');
  assert.equal(`${chunk}`, 'still here');
  if (!second.closed) await once(second, 'close').catch(({ code }) => assert.equal(code, 'ECONNRESET'));
});

test('an adopted listener serves with its own options; its file stays its maker’s unless told', async (t) => {
  const at = path.join(tmpDir(t), 's');
  for (const holdName of [false, true]) {
    const maker = new UnixServer().listen(at, { unlinkOnClose: false, replaceStale: true }); // maxFds 0
    const fd = Fd.dup(maker);
    const heir = UnixServer.adopt(fd, { maxFds: 1, holdName });
    assert.equal(fd.fd, -1);
    await maker.close();
    const client = UnixStream.connect(at);
    destroyAfter(t, client);
    const sent = client.send('x', { fds: [0] });
    const connection = await accept(heir);
    destroyAfter(t, connection);
    const [fds] = (await once(connection.resume(), 'fds')) as [Fd[]];
    assert.equal(fds.length, 1);
    fds[0]?.close();
    await sent;
    await heir.close();
    assert.equal(existsSync(at), !holdName);
  }
});

test('adopt() refuses what is no stream listener and does not consume it', async () => {
  const sockets = [RawSocket.open('stream'), RawSocket.open('seqpacket').bind().listen(1)];
  for (const socket of sockets) {
    const fd = socket.detach();
    assert.equal((await failureOf(() => UnixServer.adopt(fd))).code, 'ERR_FDPASS_WRONG_KIND');
    assert.notEqual(fd.fd, -1);
    fd.close();
  }
});

test('out of descriptors: said once, not spun on, and every connection is served once there are some', async (t) => {
  const { code, signal, stdout, stderr } = await startFixture(t, 'accept-without-descriptors', ['stream'])
    .ended;
  assert.equal(stderr, '');
  const report = JSON.parse(stdout) as { errors: string[]; busyMs: number; served: number; lost: number };
  assert.equal(report.errors.length, 1);
  assert.match(String(report.errors[0]), /^(accept|fcntl) EMFILE$/);
  assert.ok(report.busyMs < (SLOWNESS > 1 ? 250 : 100), `${report.busyMs} ms of CPU in 300 ms`);
  assert.equal(report.served, 8);
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});
