// Waiting for a destination that the socket is not connected to.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { setTimeout as delay } from 'node:timers/promises';
import { UnixAddress, UnixDatagram } from 'fdpass';
import { Room } from '#fdpass/sockets/room';
import { freshName } from '../helpers/address-name';
import { settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';

function room(t: { after(clean: () => void): void }, to: UnixAddress, doubted = false) {
  let reports = 0;
  let tell = (): void => {};
  const one = new Room(to, doubted, () => {
    reports++;
    tell();
  });
  t.after(() => one.close());
  return {
    room: one,
    reports: () => reports,
    reported: () =>
      new Promise<void>((resolve) => {
        tell = resolve;
      }),
  };
}

function fill(sender: UnixDatagram, to: UnixAddress): number {
  let count = 0;
  while (sender.trySend('x', to)) count++;
  return count;
}

test('a full destination is reported when it has read, once, and never before', async (t) => {
  const receiver = new UnixDatagram().bind();
  const sender = new UnixDatagram();
  closeAfter(t, receiver, sender);
  assert.ok(fill(sender, receiver.address()) > 0);
  const { room: waiting, reports, reported } = room(t, receiver.address());
  waiting.await();
  await delay(50); // twice the longest pause of one that only guesses
  assert.equal(reports(), 0);
  const report = reported();
  await receiver.receive();
  await report;
  assert.equal(reports(), 1);
});

test('where the last report was wrong, or nobody can be asked, time decides', async (t) => {
  const receiver = new UnixDatagram().bind();
  const sender = new UnixDatagram();
  closeAfter(t, receiver, sender);
  fill(sender, receiver.address());
  const nobody = UnixAddress.abstract(freshName());
  for (const { room: waiting, reported } of [room(t, receiver.address(), true), room(t, nobody)]) {
    const report = reported();
    waiting.await();
    await report;
  }
});

test('waiting costs descriptors only while it lasts', async (t) => {
  const receiver = new UnixDatagram().bind();
  const sender = new UnixDatagram();
  closeAfter(t, receiver, sender);
  const before = await settledFdCount();
  const queued = fill(sender, receiver.address());
  const waiting = sender.send('waits', receiver.address());
  assert.ok((await settledFdCount()) > before);
  for (let i = 0; i < queued; i++) await receiver.receive();
  await waiting;
  assert.equal((await receiver.receive()).data.toString(), 'waits');
  assert.equal(await settledFdCount(), before);
});

test('a sender whose own buffer is full waits for that, at rest, whomever it writes to', async (t) => {
  const receivers = Array.from({ length: 40 }, () => new UnixDatagram().bind());
  const sender = new UnixDatagram();
  closeAfter(t, ...receivers, sender);
  sender.setSendBufferSize(8 * 1024);
  const full = receivers.find((receiver) => !sender.trySend('x'.repeat(500), receiver.address()));
  assert.ok(full !== undefined, 'none of them is full: the buffer is');
  let drains = 0;
  sender.on('drain', () => {
    drains++;
    sender.trySend('again', full.address());
  });
  const before = process.cpuUsage();
  await delay(300); // the time in which a busy loop would show
  const { user, system } = process.cpuUsage(before);
  assert.ok(user + system < 100_000, `${user + system} us of CPU in 300 ms`);
  assert.equal(drains, 0);
  const drained = once(sender, 'drain');
  for (const receiver of receivers.slice(0, receivers.indexOf(full))) await receiver.receive();
  await drained;
});
