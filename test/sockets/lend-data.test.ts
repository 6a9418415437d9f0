// The option `lendData`: memory that the listeners see and nobody else, and copies for everyone who keeps what he gets.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Message } from 'fdpass';
import { UnixSeqpacket } from 'fdpass';
import { closeAfter, type Link, type LinkKind, linkKinds } from '../helpers/link';
import { seeded } from '../helpers/random';
import { tryToTransferAway } from '../helpers/transfer';

const lending = { lendData: true };

/** Tells messages apart: every byte of one is its number. */
function numbered(index: number, size: number): Buffer {
  return Buffer.alloc(size, index % 251);
}

function checkNumbered(data: Buffer, index: number): void {
  assert.ok(
    data.equals(numbered(index, data.length)),
    `message ${index} of ${data.length} bytes was overwritten`,
  );
}

/** Overwrites the memory that is lent to all sockets of this thread. */
async function overwrite(other: Link): Promise<void> {
  let left = 40;
  other.receiver.on('message', () => left--);
  for (let i = 0; i < 20; i++) {
    await other.send(Buffer.alloc(9_000, 255));
    await other.send(Buffer.alloc(100, 255));
  }
  while (left > 0) await nextTurn();
  other.receiver.removeAllListeners();
}

for (const kind of linkKinds) {
  test(`${kind.title}: each message is whole while a listener has it, in memory that is used again`, async (t) => {
    const link = await kind.open(t, lending);
    const random = seeded(7);
    const sizes = Array.from({ length: 400 }, () => random.below(random.below(10) === 0 ? 100_000 : 9_000));
    const memories = new Set<ArrayBufferLike>();
    let index = 0;
    link.receiver.on('message', ({ data }: Message) => {
      assert.equal(data.length, sizes[index]);
      checkNumbered(data, index++);
      memories.add(data.buffer);
    });
    for (const [number, size] of sizes.entries()) await link.send(numbered(number, size));
    while (index < sizes.length) await nextTurn();
    // Only what was not expected to be large has memory of its own.
    assert.ok(memories.size < sizes.length * 0.8, `${memories.size} pieces for ${sizes.length}`);
  });

  test(`${kind.title}: the memory of large messages of one size is one piece`, async (t) => {
    const link = await kind.open(t, lending);
    const received: Buffer[] = [];
    link.receiver.on('message', ({ data }: Message) => received.push(data));
    for (let sent = 0; sent < 100; sent++) await link.send(Buffer.alloc(8192));
    while (received.length < 100) await nextTurn();
    const last = received.slice(-40); // more than one piece holds; and the first was not expected to be large
    assert.equal(new Set(last.map(({ buffer }) => buffer)).size, 1);
    for (const data of last) {
      tryToTransferAway(data);
      assert.equal(data.length, 8192);
    }
  });

  test(`${kind.title}: receive() and the iterator give what is the caller's own`, async (t) => {
    const link = await kind.open(t, lending);
    const other = await kind.open(t, lending);
    const kept: Buffer[] = [];
    const sending = Array.from({ length: 20 }, (_, index) =>
      link.send(numbered(index, index % 2 === 0 ? 50 : 9_000)),
    );
    while (kept.length < 5) kept.push((await link.receive()).data);
    for await (const { data } of link.receiver) if (kept.push(data) === 12) break;
    await overwrite(other);
    while (kept.length < 20) kept.push((await link.receive()).data);
    await Promise.all(sending);
    await overwrite(other);
    for (const [index, data] of kept.entries()) checkNumbered(data, index);
  });

  test(`${kind.title}: what waits behind a listener that has gone is not overwritten`, async (t) => {
    const link = await kind.open(t, lending);
    const other = await kind.open(t, lending);
    for (let index = 0; index < 8; index++) await link.send(numbered(index, 60 + index));
    // A listener that asks for the next one itself, and is removed.
    const second = await new Promise<Promise<Message>>((resolve) => {
      link.receiver.once('message', ({ data }: Message) => {
        checkNumbered(data, 0);
        resolve(link.receive());
      });
    });
    await overwrite(other);
    checkNumbered((await second).data, 1);
    for (let index = 2; index < 8; index++) checkNumbered((await link.receive()).data, index);
  });
}

test('what a peer sent before it reset the connection is whole, in however many batches it comes', async (t) => {
  const [left, right] = UnixSeqpacket.pair(lending);
  closeAfter(t, left, right);
  await right.send('unread');
  let sent = 0;
  while (left.trySend(numbered(sent, 100))) sent++;
  await left.close();
  let index = 0;
  right.on('message', ({ data }: Message) => checkNumbered(data, index++));
  const [error] = await once(right, 'error');
  assert.equal(error.code, 'ECONNRESET');
  assert.equal(index, sent);
  assert.ok(sent > 64, `${sent} make no second batch`);
});

for (const size of [100, 8192]) {
  test(`a listener that gives lent memory of ${size} bytes to a stream of bytes costs nobody else anything`, async (t) => {
    const link = await (linkKinds[0] as LinkKind).open(t, lending);
    const other = await (linkKinds[0] as LinkKind).open(t, { ...lending, maxFds: 1 });
    const stream = new ReadableStream({
      type: 'bytes',
      start(controller) {
        link.receiver.on('message', ({ data }: Message) => {
          try {
            controller.enqueue(data);
          } catch (error) {
            assert.ok(error instanceof TypeError); // from Node 22 on; 20 detaches it, with what came with it
          }
        });
      },
    });
    for (let index = 0; index < 5; index++) {
      await link.send(numbered(index, size));
      await nextTurn();
    }
    const received: Message[] = [];
    other.receiver.on('message', (message: Message) => {
      checkNumbered(message.data, received.length);
      received.push(message);
    });
    for (let index = 0; index < 5; index++) await other.send(numbered(index, size), { fds: [0] });
    while (received.length < 5) await nextTurn();
    for (const { fds } of received) for (const fd of fds) fd.close();
    await stream.cancel();
  });
}
