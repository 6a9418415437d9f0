// Section handoff of cases.md: a listener or a connection goes to another process while clients use it.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer, UnixServer, UnixStream } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import type { Child } from '../helpers/child';
import { openPipe, readNow } from '../helpers/pipe';
import { Stage, web } from '../helpers/stage';
import { destroyAfter } from './link';
import { fails, rejects } from './outcome';
import { python } from './peers';
import {
  connectionTypes,
  freshAddresses,
  freshPath,
  rawClient,
  rawConnection,
  rawListener,
  rawOpen,
  rawPair,
  receiveCode,
  take,
  textOf,
} from './raw';
import { type Row, row } from './row';
import { isNonBlocking } from './system';

/** Takes a listener over, accepts as many as it is told, says what each of them sent and answers. */
const SUCCESSOR = `
    _, (fd,), _, _ = socket.recv_fds(socket.socket(fileno=3), 100, 1)
    listener = socket.socket(fileno=fd)
    listener.setblocking(True)
    where = listener.getsockname()
    say('has', listener.type.name, where if isinstance(where, str) else where.hex())
    for _ in range(int(hear())):
        client, _ = listener.accept()
        say(client.recv(100).decode())
        client.sendall(b'served')
    `;

/** Starts a successor and gives it the listener; our copy is the caller's to close. */
async function successor(t: Row, listener: RawSocket): Promise<{ child: Child; has: string }> {
  const [ours, theirs] = rawPair(t, 'seqpacket');
  ours.send('take over', { fds: [listener] }); // first: the child's end does not wait either
  const child = python(t, SUCCESSOR, { fds: [theirs.fd] });
  return { child, has: await child.line() };
}

row('HO-01', 'RawSocket', async (t) => {
  const listener = rawListener(t, 'stream', freshPath(t));
  const address = listener.address();
  const clients: RawSocket[] = [];
  const connect = (name: string): void => {
    const client = rawOpen(t, 'stream').connect(address);
    client.send(name);
    clients.push(client);
  };
  for (const name of ['1', '2', '3']) connect(name);
  const { child } = await successor(t, listener);
  listener.close();
  for (const name of ['4', '5']) connect(name);
  child.write('5\n');
  for (const name of ['1', '2', '3', '4', '5']) assert.equal(await child.line(), name);
  await child.ended;
  for (const client of clients) assert.equal(textOf(client), 'served');
});

row('HO-03', 'UnixSeqpacketServer UnixServer Fd createHandoff', async (t) => {
  const file = freshPath(t);
  const old = new UnixSeqpacketServer().listen(file);
  const next = UnixSeqpacketServer.adopt(Fd.dup(old), { holdName: true });
  await old.close({ unlink: false });
  assert.ok(existsSync(file));
  t.keep(new UnixSeqpacket().connect(file));
  t.keep(((await once(next, 'connection')) as [UnixSeqpacket])[0]);
  await next.close();
  assert.ok(!existsSync(file));

  const stream = freshPath(t);
  const first = t.keep(new UnixServer());
  first.listen(stream);
  const fd = t.keep(Fd.dup(first));
  await first.close({ unlink: false });
  const client = rawOpen(t, 'stream').connect(stream);
  const second = t.keep(UnixServer.adopt(fd));
  destroyAfter(t, ((await once(second, 'connection')) as [UnixStream])[0]);
  await second.close(); // not the holder of the name
  assert.ok(existsSync(stream));
  client.close();

  // Two processes: what the next one does not claim ends with the old one.
  const stage = await Stage.open(t);
  const unclaimed = stage.file('unclaimed');
  const wanted = web({ name: 'wanted', kind: 'net', options: { path: stage.file('wanted') } });
  const outgoing = await stage.start({
    listeners: [wanted, web({ name: 'unclaimed', kind: 'net', options: { path: unclaimed } })],
  });
  await stage.upgrade(outgoing, { listeners: [wanted] });
  await outgoing.exit();
  rawOpen(t, 'stream').connect(stage.file('wanted'));
  assert.ok(!existsSync(unclaimed), 'its file is removed');
});

row('HO-04', 'RawSocket', async (t) => {
  for (const type of connectionTypes) {
    for (const address of freshAddresses(t)) {
      const listener = rawListener(t, type, address);
      const where = listener.address();
      const queued = rawClient(t, listener);
      queued.send('queued');
      const { child, has } = await successor(t, listener);
      listener.close();
      const shown = where.kind === 'path' ? where.toString() : `00${where.bytes.toString('hex')}`;
      assert.equal(has, `has SOCK_${type.toUpperCase()} ${shown}`);
      const fresh = rawOpen(t, type).connect(where);
      fresh.send('new');
      child.write('2\n');
      assert.deepEqual([await child.line(), await child.line()], ['queued', 'new']);
      await child.ended;
      for (const client of [queued, fresh]) assert.equal(textOf(client), 'served');
    }
  }
});

row('HO-06', 'RawSocket UnixSeqpacketServer UnixServer', async (t) => {
  for (const type of connectionTypes) {
    const listener = rawListener(t, type);
    const address = listener.address();
    const shared = t.keep(RawSocket.adopt(Fd.dup(listener)));
    rawClient(t, listener);
    listener.shutdown('both');
    fails('ECONNREFUSED', () => rawOpen(t, type).connect(address));
    t.keep(shared.accept());
  }
  // close() of the library is not that: who shares the listener goes on.
  for (const type of connectionTypes) {
    const listener = rawListener(t, type);
    const Server = type === 'stream' ? UnixServer : UnixSeqpacketServer;
    await Server.adopt(Fd.dup(listener)).close();
    rawClient(t, listener);
    t.keep(listener.accept());
  }
});

row('HO-07', 'RawSocket UnixSeqpacketServer', async (t) => {
  const listener = rawListener(t, 'seqpacket');
  const shared = t.keep(RawSocket.adopt(Fd.dup(listener)));
  rawClient(t, listener);
  t.keep(listener.accept());
  fails('EAGAIN', () => shared.accept());

  const connections: UnixSeqpacket[] = [];
  const servers = [listener, shared].map((socket) => {
    const server = t.keep(UnixSeqpacketServer.adopt(socket.detach()));
    server.on('error', (error) => assert.fail(error));
    server.on('connection', (connection: UnixSeqpacket) => connections.push(t.keep(connection)));
    return server;
  });
  for (let i = 1; i <= 20; i++) {
    t.keep(new UnixSeqpacket().connect((servers[0] as UnixSeqpacketServer).address()));
    while (connections.length < i) await nextTurn();
    await nextTurn(); // the other one has looked, too
    assert.equal(connections.length, i);
  }
});

row('HO-10', 'RawSocket', async (t) => {
  const { client, server } = rawConnection(t);
  client.send('first second');
  assert.equal(textOf(server, 6), 'first ');
  const [ours, theirs] = rawPair(t, 'seqpacket');
  ours.send('first ', { fds: [server] }); // what has been read is passed along
  const child = python(
    t,
    `
    read, (fd,), _, _ = socket.recv_fds(socket.socket(fileno=3), 100, 1)
    connection = socket.socket(fileno=fd)
    connection.setblocking(True)
    connection.sendall(b'from the new owner')
    say((read + connection.recv(100)).decode())
    hear()
    `,
    { fds: [theirs.fd] },
  );
  server.close();
  assert.equal(await child.line(), 'first second');
  assert.equal(textOf(client), 'from the new owner');
});

row('HO-12', 'RawSocket UnixSeqpacket', async (t) => {
  const listener = rawListener(t, 'stream');
  const address = listener.address();
  const queued = rawClient(t, listener);
  const [ours, theirs] = rawPair(t, 'seqpacket');
  const child = python(t, 'hear()', { fds: [theirs.fd] });
  theirs.close();
  const sender = t.keep(UnixSeqpacket.adopt(ours.detach()));
  await sender.send('take over', { fds: [listener] });
  listener.close();
  child.process.kill('SIGKILL');
  await child.ended;
  while (receiveCode(queued) !== 'ECONNRESET') await nextTurn();
  fails('ECONNREFUSED', () => rawOpen(t, 'stream').connect(address));
  // What it had not read makes it ECONNRESET first, then EPIPE.
  const told = await sender.send('are you there?').then(
    () => 'success',
    ({ code }) => code as string,
  );
  assert.match(told, /^(ECONNRESET|EPIPE)$/);
  await rejects('EPIPE', sender.send('are you there?'));
});

row('HO-15', 'RawSocket UnixSeqpacketServer', async (t) => {
  const listener = rawListener(t, 'seqpacket');
  assert.ok(isNonBlocking(listener.fd));
  const { child } = await successor(t, listener); // it calls setblocking(True)
  assert.ok(!isNonBlocking(listener.fd));
  child.process.kill('SIGKILL');
  await child.ended;
  // Who adopts it says again what it needs.
  const server = t.keep(UnixSeqpacketServer.adopt(listener.detach()));
  assert.ok(isNonBlocking(server.fd));
});

row('HO-20', 'UnixDatagram UnixStream', async (t) => {
  const COUNT = 80;
  const receiver = t.keep(new UnixDatagram({ maxFds: 1 }).bind(`@${freshName()}`));
  const child = python(
    t,
    `
    for i in range(int(arguments[1])):
        if os.fork() == 0:
            mine, passed = socket.socketpair()
            to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
            to.connect(name(arguments[0]))
            socket.send_fds(to, [b'%d' % i], [passed.fileno()])
            passed.close()
            mine.sendall(b'child %d' % i)
            os._exit(0 if mine.recv(100) == b'answer' else 1)
    results = [os.wait()[1] for _ in range(int(arguments[1]))]
    say(results.count(0))
    `,
    { args: [receiver.address().toString(), COUNT] },
  );
  const arrived = new Set<string>();
  for (let i = 0; i < COUNT; i++) {
    const { data, fds } = await receiver.receive();
    const stream = UnixStream.adopt(fds[0] as Fd);
    destroyAfter(t, stream);
    const [text] = (await once(stream, 'data')) as [Buffer];
    assert.equal(text.toString(), `child ${data}`);
    stream.end('answer');
    arrived.add(data.toString());
  }
  assert.equal(arrived.size, COUNT);
  assert.equal(await child.line(), `${COUNT}`);
});

row('HO-22', 'RawSocket UnixStream', async (t) => {
  const { reader, writer } = openPipe(t);
  const [left, right] = rawPair(t, 'stream');
  const send = (): void => {
    left.send('one');
    left.send('two', { fds: [writer] });
    left.send('three');
  };
  send();
  const first = take(t, right);
  assert.deepEqual([first.data.toString(), first.fds.length], ['onetwo', 1]);
  const second = take(t, right);
  assert.deepEqual([second.data.toString(), second.fds.length], ['three', 0]);
  for (const fd of first.fds) fd.close();

  send();
  left.shutdown('write');
  const stream = UnixStream.adopt(right.detach(), { maxFds: 1 });
  destroyAfter(t, stream);
  const seen: string[] = [];
  stream.on('fds', (fds: Fd[]) => {
    for (const fd of fds) fd.close();
    seen.push('fds');
  });
  stream.on('data', (data: Buffer) => seen.push(data.toString()));
  await once(stream, 'end');
  // The data after 'fds' is that of one receive: it ends with the bytes that the descriptors were sent with.
  assert.deepEqual(seen, ['fds', 'onetwo', 'three']);
  writer.close();
  assert.equal(readNow(reader), '');
});
