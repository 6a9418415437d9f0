// Who sent a message, and who is at the other end of a connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { Fd, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { isCloseOnExec } from '../helpers/fd-count';
import { closeAfter, linkKinds } from '../helpers/link';
import { failureOf } from '../helpers/outcome';

const self = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };

for (const kind of linkKinds) {
  test(`${kind.title}: every message tells its sender, also beside descriptors`, async (t) => {
    const link = await kind.open(t, { credentials: true, maxFds: 2 });
    await link.send('plain');
    await link.send('with', { fds: [0, 0] });
    assert.deepEqual((await link.receive()).credentials, self);
    const message = await link.receive();
    assert.deepEqual(message.credentials, self);
    assert.equal(message.fds.length, 2);
    assert.equal(message.fdsDropped, false);
    for (const fd of message.fds) fd.close();
  });

  test(`${kind.title}: without the option there are no credentials`, async (t) => {
    const link = await kind.open(t);
    await link.send('x');
    assert.equal('credentials' in (await link.receive()), false);
  });
}

test('a message of another process tells that process', async (t) => {
  const receiver = new UnixDatagram({ credentials: true }).bind(`@${freshName()}`);
  closeAfter(t, receiver);
  const child = startFixture(t, 'send-once', [receiver.address().toString()]);
  const message = await receiver.receive();
  assert.equal(message.credentials?.pid, child.process.pid);
  assert.notEqual(message.credentials?.pid, process.pid);
  assert.equal((await child.ended).code, 0);
});

test('the first packet of a connection tells its sender although it came before accept', async (t) => {
  const server = new UnixSeqpacketServer({ credentials: true }).listen(`@${freshName()}`);
  const client = new UnixSeqpacket().connect(server.address());
  closeAfter(t, server, client);
  assert.ok(client.trySend('early'));
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  closeAfter(t, connection);
  assert.deepEqual((await connection.receive())?.credentials, self);
});

test('an adopted socket gets what it asks for, whatever its former owner had asked for', async (t) => {
  for (const former of [{ credentials: true, maxFds: 1 }, {}]) {
    const [left, right] = UnixDatagram.pair(former);
    closeAfter(t, left, right);
    const plain = UnixDatagram.adopt(Fd.dup(right), { maxFds: 1 });
    closeAfter(t, plain);
    await left.send('x', undefined, { fds: [0] });
    const message = await plain.receive();
    assert.equal(message.fds.length, 1);
    assert.equal(message.fdsDropped, false);
    assert.equal('credentials' in message, false);
    message.fds[0]?.close();
  }
});

test('both ends of a connection know each other', async (t) => {
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  const client = new UnixSeqpacket().connect(server.address());
  closeAfter(t, server, client);
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  closeAfter(t, connection);
  assert.deepEqual(client.peerCredentials, self);
  assert.deepEqual(connection.peerCredentials, self);
});

test('a peer process is known by its credentials and by a pidfd that outlives it', async (t) => {
  const server = new UnixSeqpacketServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  const child = startFixture(t, 'connect-once', [server.address().toString()]);
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  closeAfter(t, connection);
  assert.equal(connection.peerCredentials.pid, child.process.pid);
  const running = connection.peerPidFd();
  assert.ok(isCloseOnExec(running.fd));
  assert.equal(running.describe().family, undefined);
  running.close();
  await connection.send('leave');
  assert.equal((await child.ended).code, 0);
  assert.equal(connection.peerCredentials.pid, child.process.pid);
  connection.peerPidFd().close();
});

test('a socket without a peer has no peer credentials', async (t) => {
  const socket = new UnixSeqpacket();
  closeAfter(t, socket);
  assert.equal((await failureOf(() => socket.peerCredentials)).code, 'ENOTCONN');
  assert.equal((await failureOf(() => socket.peerPidFd())).syscall, 'getsockopt');
});
