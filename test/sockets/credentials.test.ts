// Who sent a message, and who is at the other end of a connection.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { type Credentials, Fd, type Message, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { isCloseOnExec, settledFdCount } from '../helpers/fd-count';
import { closeAfter, linkKinds } from '../helpers/link';
import { isRoot } from '../helpers/nobody';
import { failureOf } from '../helpers/outcome';
import { openPipe } from '../helpers/pipe';

const self = { pid: process.pid, uid: process.getuid?.() as number, gid: process.getgid?.() as number };

/** The process that a pidfd stands for; -1 if it has been reaped. proc_pid_fdinfo(5) */
function pidOf(pidFd: Fd): number {
  return Number(/^Pid:\s+(-?\d+)$/m.exec(readFileSync(`/proc/self/fdinfo/${pidFd.fd}`, 'latin1'))?.[1]);
}

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

  test(`${kind.title}: own credentials can be sent, beside descriptors and to a peer that has to be waited for, too`, async (t) => {
    const link = await kind.open(t, { credentials: true, maxFds: 1 });
    let count = 0;
    while (link.trySend('x')) count++;
    const waiting = link.send('last', { credentials: self, fds: [0] });
    while (count-- > 0) await link.receive();
    const message = await link.receive();
    await waiting;
    assert.deepEqual(message.credentials, self);
    assert.equal(message.fds.length, 1);
    message.fds[0]?.close();
  });

  test(`${kind.title}: credentials of nobody’s are refused, and the next message goes`, async (t) => {
    const link = await kind.open(t, { credentials: true });
    const none = { ...self, pid: 2 ** 31 - 1 };
    assert.ok(['ESRCH', 'EPERM'].includes((await failureOf(link.send('x', { credentials: none }))).code));
    const wrong: [object, string][] = [
      [{}, 'ERR_INVALID_ARG_TYPE'],
      [{ ...self, pid: 0 }, 'ERR_OUT_OF_RANGE'],
      [{ ...self, uid: -1 }, 'ERR_OUT_OF_RANGE'],
      [{ ...self, gid: 2 ** 32 - 1 }, 'ERR_OUT_OF_RANGE'],
    ];
    for (const [credentials, code] of wrong) {
      const options = { credentials: credentials as Credentials };
      assert.equal((await failureOf(link.send('x', options))).code, code);
    }
    await link.send('next');
    assert.deepEqual((await link.receive()).data.toString(), 'next');
  });

  test(`${kind.title}: a pidfd of the sender comes with each message, if the kernel has it`, async (t) => {
    const link = await kind.open(t, { pidFd: true, maxFds: 1 });
    await link.send('x', { fds: [0] });
    const { pidFd, fds, fdsDropped } = await link.receive();
    assert.ok(pidFd !== undefined && isCloseOnExec(pidFd.fd));
    assert.equal(pidOf(pidFd), process.pid);
    assert.equal(fdsDropped, false);
    for (const fd of [...fds, pidFd]) fd.close();
  });

  test(`${kind.title}: a pidfd that nobody takes is closed with the socket`, async (t) => {
    const link = await kind.open(t, { pidFd: true });
    const before = await settledFdCount();
    for (let i = 0; i < 3; i++) assert.ok(link.trySend('x'));
    const first = await new Promise<Message>((resolve) => link.receiver.once('message', resolve));
    first.pidFd?.close();
    assert.equal(await settledFdCount(), before + 2, 'those of two messages of the batch');
    await link.receiver.close();
    assert.equal(await settledFdCount(), before - 2, 'the socket and the watcher’s duplicate');
  });

  test(`${kind.title}: a sender of more descriptors than fit cannot hide its pidfd`, async (t) => {
    const link = await kind.open(t, { pidFd: true, maxFds: 1 });
    const { reader } = openPipe(t);
    for (const count of [1, 2, 3, 10, 253]) {
      await link.send('x', { fds: Array(count).fill(reader) });
      const message = await link.receive();
      assert.equal(message.fds.length, 1);
      assert.equal(message.fdsDropped, count > 1);
      assert.ok(message.pidFd, `${count} descriptors`);
      Fd.closeAll([...message.fds, message.pidFd]);
    }
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

test('a pidfd of a sender tells which process that was, also when it has ended', async (t) => {
  const receiver = new UnixDatagram({ pidFd: true }).bind(`@${freshName()}`);
  closeAfter(t, receiver);
  const child = startFixture(t, 'send-once', [receiver.address().toString()]);
  assert.equal((await child.ended).code, 0);
  const { pidFd, data } = await receiver.receive();
  assert.equal(data.toString(), 'hello');
  if (pidFd === undefined) return; // before Linux 6.16 there is none for a process that was reaped
  assert.ok([-1, child.process.pid].includes(pidOf(pidFd)), `${pidOf(pidFd)}`);
  pidFd.close();
});

test('root may send the ids of another user and another process, nobody else may', async (t) => {
  if (!isRoot) return t.skip('needs root');
  const receiver = new UnixDatagram({ credentials: true }).bind(`@${freshName()}`);
  closeAfter(t, receiver);
  const foreign = { pid: process.ppid, uid: 65534, gid: 65534 };
  const sender = new UnixDatagram();
  closeAfter(t, sender);
  await sender.send('x', receiver.address(), { credentials: foreign });
  assert.deepEqual((await receiver.receive()).credentials, foreign);
  const child = startFixture(t, 'send-credentials', [receiver.address().toString()]);
  const lines = [await child.line(), await child.line(), await child.line()];
  assert.deepEqual(lines, ['own sent', 'root EPERM', 'parent EPERM']);
  assert.deepEqual((await receiver.receive()).credentials, {
    pid: child.process.pid,
    uid: 65534,
    gid: 65534,
  });
  assert.equal((await child.ended).code, 0);
});

test('the groups of a peer are those that it had when it connected', async (t) => {
  const sockets = [UnixSeqpacket.pair(), UnixDatagram.pair()].flat();
  closeAfter(t, ...sockets);
  const groups = /^Groups:(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '';
  for (const socket of sockets) {
    assert.deepEqual(socket.peerGroups(), groups.split(/\s+/).filter(Boolean).map(Number));
  }
  const lonely = new UnixSeqpacket();
  closeAfter(t, lonely);
  assert.equal((await failureOf(() => lonely.peerGroups())).code, 'ENODATA');
});
