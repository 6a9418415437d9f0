// Opening and closing again and again: nothing leaks, and nothing of an old socket reaches the one that got its number.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import {
  type Message,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixServer,
  UnixStream,
} from 'fdpass';
import { freshName } from '../helpers/address-name';
import { fdCount, settledFdCount } from '../helpers/fd-count';

for (const Class of [UnixDatagram, UnixSeqpacket]) {
  test(`${Class.name}: 1000 pairs that passed descriptors leave the count as it was`, async () => {
    const before = await settledFdCount();
    for (let i = 0; i < 1000; i++) {
      const [left, right] = Class.pair({ maxFds: 2 });
      const fds = { fds: [0, left] };
      if (left instanceof UnixDatagram) await left.send('x', undefined, fds);
      else await left.send('x', fds);
      if (i % 2 === 0) for (const fd of (await right.receive())?.fds ?? []) fd.close();
      await left.close();
      await right.close();
    }
    assert.equal(await settledFdCount(), before);
  });

  test(`${Class.name}: sockets that take over the numbers of closed ones get only their own messages`, async () => {
    const before = await settledFdCount();
    let live: UnixDatagram[] | UnixSeqpacket[] = [];
    let delivered = 0;
    for (let i = 0; i < 500; i++) {
      const pair = Class.pair();
      pair[1].on('error', (error) => assert.fail(error));
      pair[1].on('message', (message: Message) => {
        assert.equal(message.data.toString(), `${i}`);
        delivered++;
      });
      const message = i % 3 === 0 && once(pair[1], 'message');
      assert.ok(pair[0].trySend(`${i}`));
      const old = live;
      live = pair;
      // Sometimes the message is delivered, sometimes close() is first.
      if (i % 3 === 1) await nextTurn();
      await message;
      for (const socket of old) void socket.close();
    }
    for (const socket of live) await socket.close();
    assert.ok(delivered > 100, `${delivered}`);
    assert.equal(await settledFdCount(), before);
  });
}

test('500 connections to one server leave the count as it was', async () => {
  const before = await settledFdCount();
  const server = new UnixSeqpacketServer({ maxFds: 1 }).listen(`@${freshName()}`);
  let open = 0;
  server.on('connection', (connection: UnixSeqpacket) => {
    open++;
    connection.once('close', () => open--);
    connection.on('message', async ({ fds }: Message) => {
      for (const fd of fds) fd.close();
      await connection.send('bye');
      await connection.close();
    });
  });
  for (let i = 0; i < 500; i++) {
    const client = new UnixSeqpacket().connect(server.address());
    assert.ok(client.trySend('hello', { fds: [0] }));
    client.on('message', () => {});
    await once(client, 'close');
  }
  while (open > 0) await nextTurn();
  await server.close();
  assert.equal(await settledFdCount(), before);
});

test('500 streams that passed descriptors leave the count as it was', async () => {
  const before = await settledFdCount();
  const server = new UnixServer({ maxFds: 1 }).listen(`@${freshName()}`);
  let open = 0;
  server.on('connection', (connection) => {
    open++;
    connection.once('close', () => open--);
    connection.on('fds', (fds) => {
      for (const fd of fds) fd.close();
      connection.end('bye');
    });
    connection.resume();
  });
  for (let i = 0; i < 500; i++) {
    const client = UnixStream.connect(server.address());
    const closed = once(client.resume(), 'close');
    await client.send('hello', { fds: [0] });
    await closed;
  }
  while (open > 0) await nextTurn(); // the other ends see it later
  await server.close();
  assert.equal(await settledFdCount(), before);
});

test('when close() has resolved the descriptor is closed and the name is free', async () => {
  const before = fdCount();
  const name = `@${freshName()}`;
  for (let i = 0; i < 50; i++) {
    const server = new UnixSeqpacketServer().listen(name);
    const socket = new UnixDatagram().bind(name);
    assert.equal(fdCount(), before + 4);
    await Promise.all([server.close(), socket.close()]);
    assert.equal(fdCount(), before);
  }
});
