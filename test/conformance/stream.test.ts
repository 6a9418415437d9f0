// Section stream of cases.md: bytes without borders, ends and half ends, connecting and listening.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { UnixServer, UnixStream } from 'fdpass';
import { MSG, POLL, type RawSocket, SO, SOL_SOCKET } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { destroyAfter } from './link';
import { EOPNOTSUPP, fails, rejects } from './outcome';
import { python } from './peers';
import {
  connectionTypes,
  freshPath,
  names,
  rawBound,
  rawClient,
  rawConnection,
  rawListener,
  rawOpen,
  rawPair,
  receiveCode,
  textOf,
} from './raw';
import { type Row, row } from './row';

const ECONNRESET = 104; // of include/uapi/asm-generic/errno.h

function pair(t: Row, options = {}): [UnixStream, UnixStream] {
  const streams = UnixStream.pair(options);
  destroyAfter(t, ...streams);
  return streams;
}

/** A UnixStream whose peer is raw. */
function facing(t: Row, options = {}): [UnixStream, RawSocket] {
  const [left, peer] = rawPair(t, 'stream');
  const stream = UnixStream.adopt(left.detach(), options);
  destroyAfter(t, stream);
  return [stream, peer];
}

/** What comes until the end. */
async function allOf(stream: UnixStream): Promise<string> {
  let text = '';
  stream.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk;
  });
  await once(stream, 'end');
  return text;
}

/** Everything that the stream tells until 'close'. */
function eventsOf(stream: UnixStream): { seen: string[]; closed: Promise<unknown> } {
  const seen: string[] = [];
  stream.on('data', (chunk: Buffer) => seen.push(`data ${chunk}`));
  stream.on('end', () => seen.push('end'));
  stream.on('error', (error: NodeJS.ErrnoException) => seen.push(`error ${error.code}`));
  stream.on('close', () => seen.push('close'));
  return { seen, closed: new Promise((resolve) => stream.once('close', resolve)) };
}

function written(stream: UnixStream, data: string): Promise<void> {
  return new Promise((resolve, reject) => {
    stream.write(data, (error) => (error ? reject(error) : resolve()));
  });
}

/** Which of these bits poll(2) reports. */
function polled(socket: RawSocket): string[] {
  return names(socket.poll(POLL.IN | POLL.PRI | POLL.OUT | POLL.RDHUP), POLL);
}

row('ST-02', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  left.send('a'.repeat(20));
  left.send('b'.repeat(20));
  assert.equal(textOf(right, 100), 'a'.repeat(20) + 'b'.repeat(20));
  left.send('0123456789');
  assert.equal(textOf(right, 4), '0123');
  assert.equal(textOf(right, 100), '456789');
});

row('ST-04', 'RawSocket UnixStream', async (t) => {
  const [raw, closing] = rawPair(t, 'stream');
  closing.send('last');
  closing.close();
  assert.equal(textOf(raw), 'last');
  assert.equal(raw.receive().size, 0);
  assert.equal(raw.receive().size, 0);

  const [stream, peer] = facing(t);
  const { seen, closed } = eventsOf(stream);
  peer.send('last');
  peer.close();
  await closed;
  assert.deepEqual(seen, ['data last', 'end', 'close']);
});

row('ST-05', 'RawSocket UnixStream', async (t) => {
  const [raw, closing] = rawPair(t, 'stream');
  closing.close();
  fails('EPIPE', () => raw.send('x'));

  const [stream, peer] = facing(t, { allowHalfOpen: true });
  stream.on('error', () => {}); // a Writable tells its callback and the event
  peer.close();
  await rejects('EPIPE', written(stream, 'x'));
});

row('ST-06', 'RawSocket UnixStream', async (t) => {
  const [raw, closing] = rawPair(t, 'stream');
  raw.send('unread');
  closing.send('mine');
  closing.close();
  assert.equal(textOf(raw), 'mine');
  assert.equal(receiveCode(raw), 'ECONNRESET');
  assert.equal(raw.receive().size, 0);

  const [stream, peer] = facing(t);
  const { seen, closed } = eventsOf(stream);
  await written(stream, 'unread');
  peer.send('mine');
  peer.close();
  await closed;
  assert.deepEqual(seen, ['data mine', 'error ECONNRESET', 'close']);
});

row('ST-07', 'RawSocket UnixStream', async (t) => {
  const listener = rawListener(t, 'stream');
  const [reading, asking, writing] = [0, 1, 2].map(() => rawClient(t, listener)) as [
    RawSocket,
    RawSocket,
    RawSocket,
  ];
  const stream = UnixStream.connect(listener.address());
  destroyAfter(t, stream);
  await once(stream, 'connect');
  const { seen, closed } = eventsOf(stream);
  listener.close();

  const bits = polled(reading);
  assert.ok(bits.includes('HUP') && bits.includes('ERR'), bits.join());
  assert.equal(receiveCode(reading), 'ECONNRESET');
  assert.equal(reading.receive().size, 0);
  assert.equal(asking.getOption(SOL_SOCKET, SO.ERROR), ECONNRESET);
  assert.equal(asking.getOption(SOL_SOCKET, SO.ERROR), 0);
  receiveCode(writing);
  fails('EPIPE', () => writing.send('x'));
  await closed;
  assert.deepEqual(seen, ['error ECONNRESET', 'close']);
});

row('ST-08', 'RawSocket UnixStream', async (t) => {
  const [raw, peer] = rawPair(t, 'stream');
  raw.send('before');
  raw.shutdown('write');
  fails('EPIPE', () => raw.send('after'));
  assert.equal(textOf(peer), 'before');
  assert.equal(peer.receive().size, 0);
  peer.send('back');
  assert.equal(textOf(raw), 'back');

  const [ended, open] = pair(t, { allowHalfOpen: true });
  ended.end('before');
  assert.equal(await allOf(open), 'before');
  open.end('back');
  assert.equal(await allOf(ended), 'back');
});

row('ST-09', 'RawSocket UnixStream', async (t) => {
  const [raw, peer] = rawPair(t, 'stream');
  raw.shutdown('read');
  fails('EPIPE', () => peer.send('x'));
  raw.send('still');
  assert.equal(textOf(peer), 'still');

  const [stream, other] = facing(t, { allowHalfOpen: true });
  stream.closeRead();
  fails('EPIPE', () => other.send('x'));
  await written(stream, 'still');
  assert.equal(textOf(other), 'still');
});

row('ST-10', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  left.send('to the right');
  right.send('to the left');
  left.shutdown('both');
  right.shutdown('both');
  assert.equal(textOf(left), 'to the left');
  assert.equal(textOf(right), 'to the right');
});

row('ST-14', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  left.send(Buffer.alloc(512));
  const { size, flags } = right.receive({ buffers: 256, flags: MSG.TRUNC });
  assert.deepEqual([size, flags], [256, 0]);
});

row('ST-15', 'RawSocket', (t) => {
  const listener = rawListener(t, 'stream');
  const to = listener.address();
  const [left, right] = rawPair(t, 'stream');
  fails('EISCONN', () => left.send('x', { to }));
  assert.equal(receiveCode(right), 'EAGAIN');
  fails(EOPNOTSUPP, () => rawOpen(t, 'stream').send('x', { to }));
  fails('EAGAIN', () => listener.accept());
});

row('ST-16', 'RawSocket', (t) => {
  for (const [type, expected] of [
    ['stream', 'EINVAL'],
    ['seqpacket', 'ENOTCONN'],
  ] as const) {
    const socket = rawOpen(t, type);
    fails('ENOTCONN', () => socket.send('x'));
    assert.equal(receiveCode(socket), expected, type);
  }
});

row('ST-17', 'RawSocket', (t) => {
  const listener = rawListener(t, 'stream');
  const client = rawClient(t, listener);
  fails('EISCONN', () => client.connect(listener.address()));
  fails('EINVAL', () => listener.connect(listener.address()));
});

row('ST-19', 'RawSocket', (t) => {
  const unbound = rawOpen(t, 'stream');
  const bound = rawBound(t, 'stream');
  const [connected] = rawPair(t, 'stream');
  fails('EINVAL', () => unbound.accept());
  fails('EINVAL', () => bound.accept());
  fails('EINVAL', () => connected.accept());
  fails('EINVAL', () => unbound.listen(1));
  connected.bind(`@${freshName()}`);
  fails('EINVAL', () => connected.listen(1));
});

row('ST-22', 'RawSocket', (t) => {
  const listener = rawListener(t, 'stream', undefined, 1);
  const connect = (count: number): void => {
    for (let i = 0; i < count; i++) rawClient(t, listener);
  };
  connect(2);
  fails('EAGAIN', () => connect(1));
  listener.listen(3);
  connect(2);
  listener.listen(0);
  fails('EAGAIN', () => connect(1));
  for (let i = 0; i < 4; i++) t.keep(listener.accept());
  fails('EAGAIN', () => listener.accept());
});

row('ST-30', 'UnixStream UnixServer', async (t) => {
  const file = freshPath(t);
  const server = t.keep(new UnixServer());
  server.listen(file, { mode: 0o700 });
  chmodSync(file, 0o555);
  const refused = UnixStream.connect(file);
  destroyAfter(t, refused);
  const [error] = (await once(refused, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'EACCES');

  chmodSync(file, 0o222);
  const accepted = once(server, 'connection') as Promise<[UnixStream]>;
  const client = UnixStream.connect(file);
  destroyAfter(t, client);
  await once(client, 'connect');
  destroyAfter(t, (await accepted)[0]);
});

row('ST-32', 'UnixStream', async (t) => {
  const chunk = Buffer.alloc(24 * 1024, 'heavy traffic');
  const count = 256;
  const streams = pair(t, { allowHalfOpen: true });
  const received = streams.map(async (stream) => {
    let size = 0;
    stream.on('data', (data: Buffer) => {
      size += data.length;
    });
    await once(stream, 'end');
    return size;
  });
  const closed = streams.map((stream) => once(stream, 'close'));
  for (const stream of streams) {
    for (let i = 0; i < count; i++) stream.write(chunk);
    stream.end();
  }
  assert.deepEqual(await Promise.all(received), [count * chunk.length, count * chunk.length]);
  await Promise.all(closed);
});

row('ST-33', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  const none = Buffer.alloc(0);
  assert.equal(left.send([none, Buffer.from('012'), none, Buffer.from('3456789'), none]), 10);
  const buffers = [Buffer.alloc(4), none, Buffer.alloc(8)];
  assert.equal(right.receive({ buffers }).data.toString(), '0123456789');
  assert.deepEqual(buffers.map(String), ['0123', '', '456789\0\0']);
});

row('ST-34', 'RawSocket', (t) => {
  const [left, right] = rawPair(t, 'stream');
  left.send('aa');
  left.send('bb');
  const peek = (): string => right.receive({ flags: MSG.PEEK }).data.toString();
  assert.deepEqual([peek(), peek(), textOf(right)], ['aabb', 'aabb', 'aabb']);
  assert.equal(receiveCode(right), 'EAGAIN');
});

row('ST-36', 'RawSocket', (t) => {
  const bits = (change: (own: RawSocket, peer: RawSocket) => void): [string[], string[]] => {
    const [own, peer] = rawPair(t, 'stream');
    change(own, peer);
    return [polled(own), peer.fd === -1 ? [] : polled(peer)];
  };
  const idle = ['OUT'];
  const ended = ['IN', 'OUT', 'RDHUP'];
  const gone = ['IN', 'OUT', 'HUP', 'RDHUP'];
  assert.deepEqual(
    bits(() => {}),
    [idle, idle],
  );
  assert.deepEqual(
    bits((_, peer) => peer.close()),
    [gone, []],
  );
  assert.deepEqual(
    bits((own) => own.shutdown('read')),
    [ended, idle],
  );
  assert.deepEqual(
    bits((own) => own.shutdown('write')),
    [idle, ended],
  );
  assert.deepEqual(
    bits((own) => own.shutdown('both')),
    [gone, gone],
  );
  assert.deepEqual(polled(rawOpen(t, 'stream')), ['OUT', 'HUP']);
  assert.deepEqual(polled(rawListener(t, 'stream')), []);
});

/** Whether that process waits in the kernel. proc_pid_stat(5) */
async function sleeps(pid: number): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'latin1');
    if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('S')) return;
  }
}

row('ST-39', 'RawSocket', async (t) => {
  const program = `
    waiting = select.poll()
    waiting.register(3, int(arguments[0]))
    say('waiting')
    print([event for _, event in waiting.poll(20000)], flush=True)
    `;
  const shutDown = (peer: RawSocket): void => peer.shutdown('write');
  const close = (peer: RawSocket): void => peer.close();
  for (const [asked, end, told] of [
    [0, close, POLL.HUP],
    [POLL.RDHUP, shutDown, POLL.RDHUP],
    [POLL.RDHUP, close, POLL.RDHUP | POLL.HUP],
  ] as const) {
    const [own, peer] = rawPair(t, 'stream');
    const child = python(t, program, { args: [asked], fds: [own.fd] });
    await child.line();
    await sleeps(child.process.pid as number);
    end(peer);
    assert.equal(await child.line(), `[${told}]`);
  }
});

row('ST-40', 'UnixServer UnixStream', async (t) => {
  const server = t.keep(new UnixServer());
  server.listen(`@${freshName()}`);
  server.on('connection', (connection: UnixStream) => {
    destroyAfter(t, connection);
    connection.pipe(connection);
  });
  const clients = Array.from({ length: 50 }, () => UnixStream.connect(server.address()));
  destroyAfter(t, ...clients);
  const answers = clients.map((client, i) => {
    client.end(`client ${i}`);
    return allOf(client);
  });
  assert.deepEqual(
    await Promise.all(answers),
    clients.map((_, i) => `client ${i}`),
  );
});

row('ST-41', 'RawSocket UnixServer', async (t) => {
  const listener = rawListener(t, 'stream');
  for (let i = 0; i < 2; i++) {
    const client = rawClient(t, listener);
    client.send('bye');
    client.close();
  }
  const accepted = t.keep(listener.accept());
  assert.equal(textOf(accepted), 'bye');
  assert.equal(accepted.receive().size, 0);

  const server = t.keep(UnixServer.adopt(listener.detach()));
  const [connection] = (await once(server, 'connection')) as [UnixStream];
  destroyAfter(t, connection);
  assert.equal(await allOf(connection), 'bye');
});

row('ST-48', 'RawSocket UnixServer', async (t) => {
  for (const type of connectionTypes) {
    const { listener, client, server } = rawConnection(t, type, freshPath(t));
    listener.close();
    client.send('on');
    assert.equal(textOf(server), 'on');
  }

  const file = freshPath(t);
  const listening = new UnixServer();
  listening.listen(file);
  const connecting = once(listening, 'connection') as Promise<[UnixStream]>;
  const client = UnixStream.connect(file);
  const [connection] = await connecting;
  destroyAfter(t, client, connection);
  const closed = once(listening, 'close');
  listening.close();
  await closed;
  assert.ok(!existsSync(file));
  connection.write('on');
  const [data] = (await once(client, 'data')) as [Buffer];
  assert.equal(data.toString(), 'on');
});
