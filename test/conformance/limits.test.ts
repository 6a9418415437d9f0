// Section limits of cases.md: how many descriptors, messages and levels the kernel takes.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { type Fd, UnixDatagram, UnixStream } from 'fdpass';
import { RawSocket, SO, SOL_SOCKET } from 'fdpass/raw';
import { openPipe, readNow } from '../helpers/pipe';
import { destroyAfter, link } from './link';
import { fails, rejects } from './outcome';
import { node } from './peers';
import { ALL_FDS, fill, rawBound, rawOpen, rawPair, receiveCode, take, types } from './raw';
import { row } from './row';
import { sysctl } from './system';

const MAX_FDS = 253; // SCM_MAX_FD of include/net/scm.h

row('LI-01', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  const { writer } = openPipe(t);
  const many = (count: number): Fd[] => new Array<Fd>(count).fill(writer);
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    left.send('x', { fds: many(MAX_FDS) });
    const { fds, flags } = take(t, right, { controlBytes: ALL_FDS });
    assert.deepEqual([fds.length, flags], [MAX_FDS, 0]);
    for (const fd of fds) fd.close();
    fails('ERR_OUT_OF_RANGE', () => left.send('x', { fds: many(MAX_FDS + 1) }));
    assert.equal(receiveCode(right), 'EAGAIN');

    const { send, receive } = link(t, type, { maxFds: MAX_FDS });
    await send('x', many(MAX_FDS));
    const arrived = await receive();
    assert.deepEqual([arrived.fds.length, arrived.fdsDropped], [MAX_FDS, false]);
    for (const fd of arrived.fds) fd.close();
    await rejects('ERR_OUT_OF_RANGE', send('x', many(MAX_FDS + 1)));
  }
});

row('LI-04', 'RawSocket UnixDatagram', async (t) => {
  const limit = sysctl('net/unix/max_dgram_qlen') + 1;
  const receiver = rawBound(t, 'dgram');
  assert.equal(fill(rawOpen(t, 'dgram'), 'x', receiver.address()), limit);

  const bound = t.keep(new UnixDatagram().bind());
  const sender = t.keep(new UnixDatagram().connect(bound.address()));
  let sent = 0;
  while (sender.trySend('x')) sent++;
  assert.equal(sent, limit);

  const [left, right] = rawPair(t, 'dgram');
  const paired = fill(left, 'x');
  assert.ok(paired > 0);
  while (receiveCode(right) !== 'EAGAIN');
  left.setOption(SOL_SOCKET, SO.SNDBUF, 4 * sysctl('net/core/wmem_default'));
  assert.ok(fill(left, 'x') >= paired, 'a pair’s limit is the send buffer');
});

row('LI-08', 'UnixSeqpacketServer UnixServer', async (t) => {
  for (const kind of ['UnixSeqpacketServer', 'UnixServer']) {
    const child = node(
      t,
      `
      const { execFileSync } = require('node:child_process');
      const { closeSync, openSync } = require('node:fs');
      const { RawSocket } = require(arguments_[1]);
      (async () => {
        const server = new fdpass[arguments_[0]]().listen('@fdpass-limit-' + process.pid);
        const errors = [];
        let served = 0;
        server.on('error', ({ code }) => errors.push(code));
        const clients = [0, 1, 2].map(() => RawSocket.open(arguments_[0] === 'UnixServer' ? 'stream' : 'seqpacket'));
        const done = new Promise((resolve) => server.on('connection', (connection) => {
          connection.destroy ? connection.destroy() : void connection.close();
          if (++served === clients.length) resolve();
        }));
        const used = openSync('/dev/null', 'r');
        closeSync(used);
        execFileSync('prlimit', ['--pid', String(process.pid), '--nofile=' + (used + 10)]);
        const taken = [];
        try { for (;;) taken.push(openSync('/dev/null', 'r')); } catch {}
        for (const client of clients) client.connect(server.address());
        const before = process.cpuUsage();
        const start = performance.now();
        await new Promise((resolve) => setTimeout(resolve, 400));
        const { user, system } = process.cpuUsage(before);
        const share = (user + system) / 1000 / (performance.now() - start);
        const early = served;
        for (const fd of taken) closeSync(fd);
        await done;
        console.log(JSON.stringify({ errors, early, served, busy: share > 0.5 }));
        process.exit();
      })();`,
      { args: [kind, require.resolve('fdpass/raw')] },
    );
    assert.deepEqual(JSON.parse(await child.line()), {
      errors: ['EMFILE'],
      early: 0,
      served: 3,
      busy: false,
    });
  }
});

row('LI-13', 'RawSocket', async (t) => {
  const { reader, writer } = openPipe(t);
  let inner: { fd: number; close(): void } = writer;
  for (let level = 0; level < 12; level++) {
    const [left, right] = rawPair(t, 'stream');
    left.send(`${level}`, { fds: [inner] });
    inner.close();
    left.close();
    inner = right;
  }
  let outer = inner as RawSocket;
  for (let level = 11; level > 0; level--) {
    const [fd] = take(t, outer).fds as [Fd];
    outer = t.keep(RawSocket.adopt(fd));
  }
  const [last] = take(t, outer).fds as [Fd];
  assert.equal(readNow(reader), undefined);
  last.close();
  assert.equal(readNow(reader), '');
});

row('LI-10', 'RawSocket UnixStream', async (t) => {
  const size = 200_000;
  const { writer } = openPipe(t);
  const [left, right] = rawPair(t, 'stream');
  assert.equal(left.send(Buffer.alloc(size), { fds: [writer] }), size);
  const first = take(t, right, { buffers: size });
  assert.ok(first.size < size, 'a part of it');
  assert.equal(first.fds.length, 1);
  let rest = 0;
  while (rest < size - first.size) {
    const next = take(t, right, { buffers: size });
    assert.equal(next.fds.length, 0);
    rest += next.size;
  }

  const streams = UnixStream.pair({ maxFds: 1 });
  destroyAfter(t, ...streams);
  const told: string[] = [];
  streams[1].on('fds', (fds: Fd[]) => {
    for (const fd of fds) t.keep(fd);
    told.push('fds');
  });
  let received = 0;
  streams[1].on('data', (data: Buffer) => {
    if (received === 0) told.push('data');
    received += data.length;
  });
  await streams[0].send(Buffer.alloc(size), { fds: [writer] });
  streams[0].end();
  await once(streams[1], 'end');
  assert.deepEqual([told, received], [['fds', 'data'], size]);
});
