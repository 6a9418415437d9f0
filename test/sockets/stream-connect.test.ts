// UnixStream.connect(): names, a full backlog, what ends the waiting, the idle timer, who is at the other end.
import assert from 'node:assert/strict';
import { getEventListeners, once } from 'node:events';
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { Fd, UnixAddress, UnixDatagram, UnixServer, UnixStream } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { isCloseOnExec, settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { failureOf } from '../helpers/outcome';
import { openPipe } from '../helpers/pipe';
import { destroyAfter, openPair, streamKinds, textOf } from '../helpers/streams';
import { tmpDir } from '../helpers/tmp-dir';

/** Supplementary groups; getgroups(2) of Node adds the effective one. */
const groups = (/^Groups:(.*)$/m.exec(readFileSync('/proc/self/status', 'latin1'))?.[1] ?? '')
  .split(/\s+/)
  .filter(Boolean)
  .map(Number);
const self = { pid: process.pid, uid: process.getuid?.(), gid: process.getgid?.() };

/** A listener that accepts nobody and has no room any more. */
function openFull(t: { after(clean: () => void): void }): { listener: RawSocket; address: UnixAddress } {
  const listener = RawSocket.open('stream').bind().listen(0);
  const first = RawSocket.open('stream').connect(listener.address());
  t.after(() => {
    listener.close();
    first.close();
  });
  return { listener, address: listener.address() };
}

test('both ends know each other’s address, also one of bytes that are no text', async (t) => {
  const name = UnixAddress.abstract(Buffer.from(`${freshName()}\0\xff`, 'latin1'));
  const own = path.join(tmpDir(t), 'own');
  const server = new UnixServer().listen(name);
  closeAfter(t, server);
  const client = UnixStream.connect(name, { localAddress: own });
  destroyAfter(t, client);
  const [[accepted]] = await Promise.all([
    once(server, 'connection') as Promise<[UnixStream]>,
    once(client, 'connect'),
  ]);
  destroyAfter(t, accepted);
  assert.ok(client.peerAddress().equals(name));
  assert.ok(accepted.address().equals(name));
  assert.ok(accepted.peerAddress().equals(own));
  assert.ok(client.address().equals(own));
  client.destroy();
  assert.equal(existsSync(own), false, 'its file goes with it');
});

test('a name of its own that is in use is an error, and nothing stays open', async (t) => {
  const before = await settledFdCount();
  const taken = new UnixDatagram().bind(path.join(tmpDir(t), 'taken'));
  const client = UnixStream.connect('@nobody', { localAddress: taken.address() });
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'EADDRINUSE');
  await taken.close();
  assert.equal(await settledFdCount(), before);
});

for (const kind of streamKinds) {
  test(`${kind.title}: who is at the other end is known, by pidfd, too`, async (t) => {
    const [client, server] = await kind.open(t);
    for (const end of [client, server]) {
      assert.deepEqual(end.peerCredentials, self);
      assert.deepEqual(end.peerGroups(), groups);
      const pidFd = end.peerPidFd();
      assert.ok(isCloseOnExec(pidFd.fd));
      pidFd.close();
    }
    client.destroy();
    for (const ask of [() => client.peerCredentials, () => client.peerGroups(), () => client.peerPidFd()]) {
      assert.equal((await failureOf(ask)).code, 'ERR_FDPASS_CLOSED');
    }
    assert.equal(client.fd, -1);
  });
}

test('connecting waits for room in the backlog, and what was written meanwhile follows', async (t) => {
  const { listener, address } = openFull(t);
  const client = UnixStream.connect(address);
  destroyAfter(t, client);
  client.write('early ');
  client.end('end');
  for (let turn = 0; turn < 5; turn++) await nextTurn();
  assert.equal(client.connecting, true);
  const connected = once(client, 'connect');
  listener.accept().close();
  await connected;
  const accepted = UnixStream.adopt(listener.accept().detach());
  destroyAfter(t, accepted);
  assert.equal(await textOf(accepted), 'early end');
});

const endings: [title: string, code: string, options: () => object, act: (client: UnixStream) => void][] = [
  ['its timeout', 'ERR_FDPASS_TIMEOUT', () => ({ timeout: 20 }), () => {}],
  ['its signal', 'ABORT_ERR', () => ({ signal: AbortSignal.timeout(20) }), () => {}],
  [
    'destroy(error)',
    'MINE',
    () => ({}),
    (client) => client.destroy(Object.assign(new Error(), { code: 'MINE' })),
  ],
  ['destroy()', 'none', () => ({}), (client) => client.destroy()],
];

for (const [title, code, options, act] of endings) {
  test(`waiting for room ends by ${title}, and nothing stays open`, async (t) => {
    const { address } = openFull(t);
    const before = await settledFdCount();
    const client = UnixStream.connect(address, options());
    const closed = new Promise((resolve) => client.once('close', resolve));
    let seen = 'none';
    client.on('error', (error: NodeJS.ErrnoException) => {
      seen = error.code ?? '';
    });
    const written = failureOf(client.send('x', { fds: [] }));
    act(client);
    await closed;
    assert.equal(seen, code);
    assert.equal((await written).code, code === 'none' ? 'ERR_FDPASS_CLOSED' : code);
    assert.equal(await settledFdCount(), before);
  });
}

test('a listener that goes while others wait for it refuses them', async (t) => {
  const { listener, address } = openFull(t);
  const client = UnixStream.connect(address);
  listener.close();
  const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('fifty connections in one tick are all made', async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`, { backlog: 3 });
  closeAfter(t, server);
  server.on('connection', (connection) => {
    destroyAfter(t, connection);
    connection.pipe(connection);
  });
  const clients = Array.from({ length: 50 }, () => UnixStream.connect(server.address()));
  destroyAfter(t, ...clients);
  const answers = clients.map((client, index) => textOf(client.end(`${index}`)));
  assert.deepEqual(
    await Promise.all(answers),
    clients.map((_, index) => `${index}`),
  );
});

test('a signal that is aborted already destroys the stream before it is connected', async () => {
  const before = await settledFdCount();
  const client = UnixStream.connect('@nobody', { signal: AbortSignal.abort('why') });
  const [error] = (await once(client, 'error')) as [Error];
  assert.equal(error.name, 'AbortError');
  assert.equal(error.cause, 'why');
  assert.equal(await settledFdCount(), before);
});

test('a signal destroys an open stream, and is forgotten by one that has closed', async (t) => {
  const controller = new AbortController();
  const [left, right] = openPair(t, { signal: controller.signal });
  left.destroy();
  assert.equal(getEventListeners(controller.signal, 'abort').length, 1);
  const failed = once(right, 'error');
  controller.abort();
  assert.equal(((await failed)[0] as Error).name, 'AbortError');
  assert.ok(right.destroyed);
});

test("'timeout' comes when nothing moves, again and again, and not after setTimeout(0)", async (t) => {
  const [left] = openPair(t);
  let calls = 0;
  const count = (): void => void calls++;
  assert.equal(left.setTimeout(10, count), left);
  assert.equal(left.timeout, 10);
  await once(left, 'timeout');
  assert.equal(left.destroyed, false);
  left.write('x');
  await once(left, 'timeout');
  assert.equal(calls, 1, 'a callback is called once');
  left.setTimeout(10, count).setTimeout(0, count);
  assert.equal(left.listenerCount('timeout'), 0);
  for (const ms of [-1, 1.5, 2 ** 31, '5'])
    assert.throws(() => left.setTimeout(ms as number), /^(Range|Type)Error/);
});

test('bytes that move put the timeout off', async (t) => {
  const [left, right] = openPair(t);
  const log: string[] = [];
  left.setTimeout(60).on('timeout', () => log.push('timeout'));
  right.pipe(right);
  left.on('data', () => log.push('data'));
  for (let round = 0; round < 6; round++) {
    left.write('x');
    await delay(20); // well below the timeout, all together above it
  }
  await once(left, 'timeout');
  assert.deepEqual([...new Set(log)], ['data', 'timeout']);
  assert.equal(log.indexOf('timeout'), log.length - 1);
});

test('a pidfd of the peer outlives it', async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  const child = startFixture(t, 'stream-once', [server.address().toString()]);
  const [connection] = (await once(server, 'connection')) as [UnixStream];
  destroyAfter(t, connection);
  assert.equal(connection.peerCredentials.pid, child.process.pid);
  assert.equal(await textOf(connection), 'hello');
  assert.equal((await child.ended).code, 0);
  connection.destroy();
});

test('adopt() goes on where the former owner stopped, and refuses what is no stream', async (t) => {
  const [left, right] = UnixStream.pair();
  destroyAfter(t, left, right);
  await left.send('one');
  await once(right, 'data');
  const adopted = UnixStream.adopt(Fd.dup(right));
  right.destroy();
  left.end('two');
  assert.equal(await textOf(adopted), 'two');
  const listener = RawSocket.open('stream').bind().listen(1);
  const packets = RawSocket.open('seqpacket');
  for (const wrong of [Fd.dup(openPipe(t).reader), Fd.dup(listener), Fd.dup(packets)]) {
    assert.equal((await failureOf(() => UnixStream.adopt(wrong))).code, 'ERR_FDPASS_WRONG_KIND');
    assert.notEqual(wrong.fd, -1, 'not consumed');
    wrong.close();
  }
  listener.close();
  packets.close();
});

test('a socket that was never connected is told by the first read', async () => {
  const stream = UnixStream.adopt(RawSocket.open('stream').detach());
  const [error] = (await once(stream, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.syscall, 'recvmsg');
});
