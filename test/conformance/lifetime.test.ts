// Section lifetime of cases.md: closing in the middle, workers, collection, adoption, children, backpressure.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { openSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import {
  adoptServer,
  adoptSocket,
  Fd,
  type Message,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixServer,
  UnixStream,
} from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { identity, settledFdCount } from '../helpers/fd-count';
import { openPipe, readNow } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';
import { destroyAfter } from './link';
import { codeOf, fails, rejects } from './outcome';
import { node, python } from './peers';
import { packetTypes, rawClient, rawConnection, rawListener, rawPair, textOf } from './raw';
import { type Row, row } from './row';
import { sysctl } from './system';

type Packets = UnixDatagram | UnixSeqpacket;

function packetPair(t: Row, type: 'dgram' | 'seqpacket', options = {}): [Packets, Packets] {
  const [left, right] = type === 'dgram' ? UnixDatagram.pair(options) : UnixSeqpacket.pair(options);
  return [t.keep(left), t.keep(right)];
}

function streamPair(t: Row, options = {}): [UnixStream, UnixStream] {
  const streams = UnixStream.pair(options);
  destroyAfter(t, ...streams);
  return streams;
}

row('LT-01', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of packetTypes) {
    const [left, right] = packetPair(t, type);
    const seen: string[] = [];
    right.on('message', () => {
      seen.push('message');
      void right.close();
    });
    right.on('close', () => seen.push('close'));
    for (let i = 0; i < 5; i++) left.trySend('x');
    await once(right, 'close');
    await nextTurn();
    assert.deepEqual(seen, ['message', 'close']);
  }
  const listener = rawListener(t, 'seqpacket');
  const connecting = new UnixSeqpacket();
  connecting.once('connect', () => void connecting.close());
  connecting.connect(listener.address());
  await once(connecting, 'close');

  const [ending, ended] = packetPair(t, 'seqpacket') as [UnixSeqpacket, UnixSeqpacket];
  ended.on('message', () => {});
  ended.once('end', () => void ended.close());
  ending.end();
  await once(ended, 'close');

  const streamListener = rawListener(t, 'stream');
  const client = UnixStream.connect(streamListener.address());
  client.once('connect', () => client.destroy());
  await once(client, 'close');
  const [writer, reader] = streamPair(t);
  const seen: string[] = [];
  reader.on('data', () => {
    seen.push('data');
    reader.destroy();
  });
  for (const event of ['end', 'close']) reader.on(event, () => seen.push(event));
  writer.on('error', () => {});
  writer.write(Buffer.alloc(4 * sysctl('net/core/wmem_default')));
  await once(reader, 'close');
  await nextTurn();
  assert.deepEqual(seen, ['data', 'close']);
});

row('LT-05', 'UnixDatagram UnixSeqpacketServer UnixServer UnixStream', async (t) => {
  const program = `
    const { parentPort, workerData } = require('node:worker_threads');
    const fdpass = require(workerData.fdpass);
    const keep = [
      fdpass.UnixDatagram.pair({ maxFds: 1 }),
      new fdpass.UnixSeqpacketServer().listen('@' + workerData.name + '-packets'),
      new fdpass.UnixServer().listen('@' + workerData.name + '-streams'),
      fdpass.UnixStream.connect('@' + workerData.name + '-streams'),
    ];
    keep[0][1].on('message', () => {});
    keep[0][0].send('x', undefined, { fds: [0] });
    parentPort.on('message', () => process.exit(0));
    parentPort.postMessage('open');
    setInterval(() => keep, 1000);`;
  const start = async (): Promise<Worker> => {
    const workerData = { fdpass: require.resolve('fdpass'), name: freshName() };
    const worker = new Worker(program, { eval: true, workerData, execArgv: [] });
    await once(worker, 'message');
    return worker;
  };
  await (await start()).terminate(); // the first one leaves things of Node open
  const before = await settledFdCount();
  const [left, right] = packetPair(t, 'dgram');
  const workers = await Promise.all([start(), start(), start()]);
  for (const [i, worker] of workers.entries()) {
    const exit = once(worker, 'exit');
    if (i === 0) void worker.terminate();
    else worker.postMessage('exit');
    assert.equal((await exit)[0], i === 0 ? 1 : 0); // 1 is what terminate() makes of it
    left.trySend('main');
    assert.equal((await right.receive())?.data.toString(), 'main');
  }
  for (const socket of [left, right]) await socket.close();
  assert.equal(await settledFdCount(), before);
});

row('LT-08', 'UnixDatagram UnixSeqpacket UnixStream Fd', async (t) => {
  const child = node(
    t,
    `
    const { RawSocket } = require(arguments_[0]);
    const { readdirSync } = require('node:fs');
    const { setImmediate: turn } = require('node:timers/promises');
    const count = () => readdirSync('/proc/self/fd').length;
    const warnings = new Set();
    process.on('warning', ({ code }) => warnings.add(code));
    (async () => {
      await turn();
      new fdpass.UnixDatagram().close(); // what Node opens by itself
      await turn();
      const before = count();
      // Pending: it must not be collected.
      const [left, waiting] = fdpass.UnixSeqpacket.pair();
      const receiving = waiting.receive();
      (() => {
        for (let i = 0; i < 20; i++) {
          fdpass.UnixDatagram.pair();
          fdpass.UnixSeqpacket.pair();
          fdpass.Fd.dup(0);
        }
      })();
      for (let i = 0; i < 3000 && count() !== before + 4; i++) { gc(); await turn(); }
      const lost = count() - before - 4;
      await left.send('still there');
      const { data } = await receiving;
      await left.close();
      await waiting.close();
      // A stream reads as long as it is open, as net.Socket does: its peer's end is what ends a lost one.
      const [own, peer] = RawSocket.pair('stream');
      const ended = (() => {
        const stream = fdpass.UnixStream.adopt(own.detach());
        return new Promise((resolve) => stream.once('close', resolve));
      })();
      gc(); await turn(); gc();
      peer.close();
      await ended;
      console.log(JSON.stringify({ lost, data: String(data), warnings: [...warnings] }));
    })();`,
    { flags: ['--expose-gc', '--no-warnings'], args: [require.resolve('fdpass/raw')] },
  );
  assert.deepEqual(JSON.parse(await child.line()), {
    lost: 0,
    data: 'still there',
    warnings: ['FDPASS_LOST_FD'],
  });
  assert.equal((await child.ended).code, 0);
});

row('LT-09', 'UnixDatagram UnixSeqpacket UnixSeqpacketServer', async (t) => {
  const { writer } = openPipe(t);
  const server = t.keep(new UnixSeqpacketServer({ maxFds: 1 }).listen(`@${freshName()}`));
  const datagrams = t.keep(new UnixDatagram({ maxFds: 1 }).bind(`@${freshName()}`));
  const discard = ({ fds }: Message): void => {
    for (const fd of fds) fd.close();
  };
  datagrams.on('message', discard);
  server.on('connection', (connection: UnixSeqpacket) => connection.on('message', discard));
  const before = await settledFdCount();
  for (let i = 0; i < 500; i++) {
    const packets = new UnixSeqpacket().connect(server.address());
    await packets.send('x', { fds: [writer] });
    const dgram = new UnixDatagram().connect(datagrams.address());
    await dgram.send('x', undefined, { fds: [writer] });
    await Promise.all([packets.close(), dgram.close()]);
  }
  // The last connections hear of their end in a turn of their own.
  const deadline = performance.now() + 5000;
  while ((await settledFdCount()) !== before) {
    assert.ok(performance.now() < deadline, 'the count does not return');
  }
});

row('LT-11', 'UnixDatagram UnixSeqpacket UnixStream', async () => {
  for (const Class of [UnixDatagram, UnixSeqpacket, UnixStream]) {
    let delivered = 0;
    for (let i = 0; i < 300; i++) {
      const [left, right] = Class.pair();
      const check = (data: Buffer): void => {
        assert.equal(data.toString(), `${i}`);
        delivered++;
      };
      right.on('error', () => {}); // an unread rest resets a stream
      if (right instanceof UnixStream) right.on('data', check);
      else right.on('message', ({ data }: Message) => check(data));
      if (left instanceof UnixStream) left.write(`${i}`);
      else left.trySend(`${i}`);
      if (i % 3 === 0) await nextTurn();
      for (const socket of [left, right]) {
        if (socket instanceof UnixStream) socket.destroy();
        else void socket.close();
      }
    }
    assert.ok(delivered >= 50, `${Class.name}: ${delivered}`);
  }
});

row(
  'LT-12',
  'RawSocket Fd UnixDatagram UnixSeqpacket UnixSeqpacketServer UnixServer UnixStream adoptSocket',
  async (t) => {
    const { listener, client, server } = rawConnection(t, 'seqpacket');
    const before = identity(client.fd);
    const fd = client.detach();
    assert.equal(client.fd, -1);
    fails('ERR_FDPASS_CLOSED', () => client.send('x'));
    fails('ERR_FDPASS_CLOSED', () => client.address());
    assert.equal(identity(fd.fd), before);
    const { type, listening, family } = fd.describe();
    assert.deepEqual([family, type, listening], ['unix', 'seqpacket', false]);
    const adopted = t.keep(UnixSeqpacket.adopt(fd));
    assert.ok(adopted.remoteAddress().equals(listener.address()));
    await adopted.send('works');
    assert.equal(textOf(server), 'works');

    const accepting = t.keep(UnixSeqpacketServer.adopt(listener.detach()));
    t.keep(new UnixSeqpacket().connect(accepting.address()));
    t.keep(((await once(accepting, 'connection')) as [UnixSeqpacket])[0]);

    const [left, right] = rawPair(t, 'dgram');
    const dgram = t.keep(UnixDatagram.adopt(left.detach()));
    await dgram.send('works');
    assert.equal(textOf(right), 'works');

    const [one, other] = rawPair(t, 'stream');
    const stream = UnixStream.adopt(one.detach());
    destroyAfter(t, stream);
    const socket = adoptSocket(other.detach()); // Node's own library
    const gone = once(socket, 'close');
    socket.write('works');
    assert.equal(String((await once(stream, 'data'))[0]), 'works');
    socket.destroy();
    await gone;

    const streams = rawListener(t, 'stream');
    const waiting = rawClient(t, streams);
    const streamServer = t.keep(UnixServer.adopt(streams.detach()));
    const [accepted] = (await once(streamServer, 'connection')) as [UnixStream];
    destroyAfter(t, accepted);
    waiting.send('works');
    assert.equal(String((await once(accepted, 'data'))[0]), 'works');
  },
);

row(
  'LT-13',
  'Fd RawSocket UnixDatagram UnixSeqpacket UnixSeqpacketServer UnixServer UnixStream adoptSocket adoptServer',
  async (t) => {
    fails('ERR_OUT_OF_RANGE', () => Fd.adopt(-1));
    fails('EBADF', () => Fd.adopt(1_000_000));
    const closed = Fd.dup(0);
    closed.close();
    const { writer } = openPipe(t);
    const file = path.join(tmpDir(t), 'file');
    writeFileSync(file, '');
    const tcp = net.createServer().listen(0, '127.0.0.1');
    await once(tcp, 'listening');
    const bad = (): [Fd, string][] => [
      [closed, 'ERR_FDPASS_CLOSED'],
      [t.keep(Fd.adopt(openSync(file, 'r'))), 'ERR_FDPASS_WRONG_KIND'],
      [t.keep(Fd.dup(writer)), 'ERR_FDPASS_WRONG_KIND'],
      [t.keep(Fd.dup(tcp)), 'ERR_FDPASS_WRONG_KIND'],
    ];
    // Each with an AF_UNIX socket that is not of its kind.
    const adopts: [adopt: (fd: Fd) => unknown, other: () => RawSocket][] = [
      [(fd) => UnixDatagram.adopt(fd), () => rawListener(t, 'stream')],
      [(fd) => UnixSeqpacket.adopt(fd), () => rawListener(t, 'seqpacket')],
      [(fd) => UnixSeqpacketServer.adopt(fd), () => rawPair(t, 'seqpacket')[0]],
      [(fd) => UnixStream.adopt(fd), () => rawListener(t, 'stream')],
      [(fd) => UnixServer.adopt(fd), () => rawPair(t, 'stream')[0]],
    ];
    for (const [adopt, other] of adopts) {
      for (const [fd, code] of [...bad(), [t.keep(other().detach()), 'ERR_FDPASS_WRONG_KIND'] as const]) {
        fails(code, () => adopt(fd));
        if (fd !== closed) assert.notEqual(fd.fd, -1, 'a refused descriptor stays its owner’s');
        fd.close();
      }
    }
    fails('ENOTSOCK', () => RawSocket.adopt(t.keep(Fd.dup(writer))));
    const listener = t.keep(rawListener(t, 'stream').detach());
    fails('ERR_FDPASS_WRONG_KIND', () => adoptSocket(listener));
    const connected = t.keep(rawPair(t, 'stream')[0].detach());
    await rejects('ERR_FDPASS_WRONG_KIND', adoptServer(net.createServer(), connected));
    const fd = rawPair(t, 'dgram')[0].detach();
    t.keep(UnixDatagram.adopt(fd));
    fails('ERR_FDPASS_CLOSED', () => UnixDatagram.adopt(fd));
    tcp.close();
    await once(tcp, 'close');
  },
);

row('LT-17', 'UnixDatagram UnixSeqpacketServer UnixServer UnixStream Fd', async (t) => {
  const [left, right] = packetPair(t, 'dgram', { maxFds: 1 });
  const streams = streamPair(t);
  const servers = [new UnixSeqpacketServer(), new UnixServer()].map((server) => {
    server.listen(`@${freshName()}`);
    return t.keep(server);
  });
  await (left as UnixDatagram).send('x', undefined, { fds: [left] });
  const message = (await right.receive()) as Message;
  for (const fd of message.fds) t.keep(fd);
  const ours = [left, right, ...streams, ...servers, ...message.fds].map(({ fd }) => identity(fd));
  const child = python(
    t,
    `
    for fd in os.listdir('/proc/self/fd'):
        try: say(os.readlink('/proc/self/fd/' + fd))
        except OSError: pass
    `,
  );
  const { stdout } = await child.ended;
  const theirs = stdout.trim().split('\n');
  assert.ok(theirs.length >= 3);
  for (const one of ours) assert.ok(!theirs.includes(one), one);
});

row('LT-19', 'UnixStream UnixDatagram UnixSeqpacket RawSocket', async (t) => {
  for (const Class of [UnixDatagram, UnixSeqpacket]) {
    const { reader, writer } = openPipe(t);
    const [left, right] = Class.pair({ maxFds: 1 });
    t.keep(left);
    t.keep(right);
    const send = (data: string, fds: Fd[]): boolean =>
      left instanceof UnixDatagram ? left.trySend(data, undefined, { fds }) : left.trySend(data, { fds });
    let sent = 0;
    while (send(`${sent}`, sent % 7 === 0 ? [writer] : [])) sent++; // nobody reads: the kernel's queue fills up
    for (let i = 0; i < sent; i++) {
      const { data, fds } = (await right.receive()) as Message;
      for (const fd of fds) t.keep(fd).close();
      assert.deepEqual([data.toString(), fds.length], [`${i}`, i % 7 === 0 ? 1 : 0]);
    }
    writer.close();
    assert.equal(readNow(reader), '');
  }

  const { writer } = openPipe(t);
  const [sender, raw] = rawPair(t, 'stream');
  const reader = UnixStream.adopt(raw.detach(), { maxFds: 1 });
  destroyAfter(t, reader);
  let received = '';
  let pending = false;
  const carried: number[] = []; // where each descriptor's bytes end
  reader.on('fds', (fds: Fd[]) => {
    for (const fd of fds) fd.close();
    pending = true;
  });
  reader.on('data', (data: Buffer) => {
    received += data.toString();
    if (pending) carried.push(received.length);
    pending = false;
  });
  reader.pause();
  const { sent, ends } = await sendUntilFull(sender, writer);
  assert.ok(ends.length > 1);
  assert.deepEqual([received, pending], ['', false], 'nothing while it is paused');
  sender.shutdown('write');
  reader.resume();
  await once(reader, 'end');
  assert.equal(received, sent);
  assert.deepEqual(carried, ends);
});

/** Sends until the reader has taken all that it takes. @returns the bytes, and where those with a descriptor end */
async function sendUntilFull(sender: RawSocket, fd: Fd): Promise<{ sent: string; ends: number[] }> {
  const ends: number[] = [];
  let sent = '';
  for (let count = 0, refused = 0; refused < 10; ) {
    const carries = count % 7 === 0;
    const failed = codeOf(() => sender.send(`${count};`, carries ? { fds: [fd] } : {}));
    if (failed === 'success') {
      sent += `${count};`;
      if (carries) ends.push(sent.length);
      count++;
      refused = 0;
    } else {
      assert.equal(failed, 'EAGAIN');
      refused++;
      await nextTurn();
    }
  }
  return { sent, ends };
}

row('LT-20', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of packetTypes) {
    const [left, right] = packetPair(t, type);
    while (left.trySend('x'));
    const waiting = left.send('last');
    const kilobyte = Buffer.alloc(1024);
    const refused: Promise<unknown>[] = [];
    let full: NodeJS.ErrnoException | undefined;
    for (let i = 0; i < 10_000 && full === undefined; i++) {
      refused.push(
        left.send(kilobyte).catch((error) => {
          full = error as NodeJS.ErrnoException;
        }),
      );
      await Promise.resolve();
    }
    assert.equal(full?.code, 'ERR_FDPASS_QUEUE_FULL', 'what waits has a bound');
    let last = '';
    while (last !== 'last') last = (await right.receive())?.data.toString() ?? '';
    await waiting;
    await left.close();
    await Promise.all(refused);
  }
  const [writer, reader] = streamPair(t);
  assert.equal(writer.write(Buffer.alloc(4 * sysctl('net/core/wmem_default'))), false);
  assert.ok(writer.writableNeedDrain);
  const drained = once(writer, 'drain');
  reader.resume();
  await drained;
  assert.equal(writer.writableLength, 0);
});

row('LT-23', 'UnixDatagram UnixSeqpacket', async (t) => {
  for (const type of packetTypes) {
    const [sender, first] = packetPair(t, type);
    const copy = Fd.dup(first);
    const second = t.keep(type === 'dgram' ? UnixDatagram.adopt(copy) : UnixSeqpacket.adopt(copy));
    const received: string[] = [];
    for (const socket of [first, second]) {
      socket.on('message', ({ data }: Message) => received.push(data.toString()));
    }
    const sent = Array.from({ length: 500 }, (_, i) => `${i}`);
    for (const data of sent) await sender.send(data);
    while (received.length < sent.length) await nextTurn();
    assert.deepEqual(new Set(received), new Set(sent));
    assert.equal(received.length, sent.length, 'none came twice');
  }
});
