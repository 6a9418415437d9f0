// Messages over every kind of link: order, borders, sizes, and the end told from an empty message.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test from 'node:test';
import { type Message, UnixSeqpacket } from 'fdpass';
import { closeAfter, linkKinds } from '../helpers/link';
import { failureOf, systemFields } from '../helpers/outcome';
import { tryToTransferAway } from '../helpers/transfer';

for (const kind of linkKinds) {
  test(`${kind.title}: messages arrive in order, one by one, with their sizes`, async (t) => {
    const link = await kind.open(t);
    const sent = ['', 'haha', '', 'x'.repeat(70_000), 'ü', ''];
    for (const data of sent) assert.equal(link.trySend(data), true);
    for (const data of sent) {
      const message = await link.receive();
      assert.equal(message.data.toString(), data);
      assert.equal(message.size, Buffer.byteLength(data));
      assert.equal(message.truncated, false);
      assert.equal(message.fdsDropped, false);
      assert.deepEqual(message.fds, []);
    }
  });

  test(`${kind.title}: received data is the receiver's own memory`, async (t) => {
    const link = await kind.open(t);
    await link.send('first');
    const first = await link.receive();
    await link.send('XXXXX');
    await link.receive();
    assert.equal(first.data.toString(), 'first');
  });

  test(`${kind.title}: messages of all sizes stay as they came, whatever came before and after`, async (t) => {
    const link = await kind.open(t);
    const sizes = [
      9_000, 9_000, 20_000, 1, 9_000, 100_000, 65_536, 65_536, 65_536, 65_536, 65_536, 0, 4_096, 4_097,
    ].concat([40_000, 50_000, 50_000, 200_000, 5_000, 5_000, 8_192, 8_192, 8_193, 12, 12]);
    const sent = sizes.map((size, index) => Buffer.alloc(size, index + 1));
    const received: Buffer[] = [];
    link.receiver.on('message', ({ data }: Message) => received.push(data));
    for (const data of sent) await link.send(data);
    while (received.length < sent.length) await once(link.receiver, 'message');
    for (const [index, data] of sent.entries()) assert.ok(received[index]?.equals(data), `message ${index}`);
  });

  test(`${kind.title}: who keeps a message keeps a piece of memory with it at most, or its own`, async (t) => {
    const link = await kind.open(t);
    const atMost: [size: number, bytes: number][] = [
      [60_000, 256 * 1024],
      [60_000, 256 * 1024],
      [200_000, 200_000],
      [200_000, 200_000],
      [5_000, 256 * 1024],
      [20, 64 * 1024],
    ];
    for (const [size, bytes] of atMost) {
      await link.send(Buffer.alloc(size));
      const { data } = await link.receive();
      assert.equal(data.length, size);
      assert.ok(data.buffer.byteLength <= bytes, `${size} bytes keep ${data.buffer.byteLength}`);
    }
  });

  test(`${kind.title}: every kind of bytes can be sent`, async (t) => {
    const link = await kind.open(t);
    const memory = new Uint8Array([1, 2, 3, 4]);
    await link.send(memory.subarray(1, 3));
    assert.deepEqual([...(await link.receive()).data], [2, 3]);
    await link.send(new DataView(memory.buffer, 2) as unknown as Uint8Array);
    assert.deepEqual([...(await link.receive()).data], [3, 4]);
    for (const data of [5, null, {}]) {
      const error = await failureOf(link.send(data as unknown as string));
      assert.equal(error.code, 'ERR_INVALID_ARG_TYPE');
    }
    await link.send('after');
    assert.equal((await link.receive()).data.toString(), 'after');
  });

  test(`${kind.title}: a message longer than maxBytes is cut, flagged, and shows its real size`, async (t) => {
    const link = await kind.open(t, { maxBytes: 5 });
    await link.send('0123456789');
    await link.send('12345');
    const cut = await link.receive();
    assert.equal(cut.data.toString(), '01234');
    assert.equal(cut.truncated, true);
    assert.equal(cut.size, 10);
    const whole = await link.receive();
    assert.equal(whole.data.toString(), '12345');
    assert.equal(whole.truncated, false);
  });

  test(`${kind.title}: a message over SO_SNDBUF is EMSGSIZE once, and the socket goes on`, async (t) => {
    const link = await kind.open(t);
    const data = Buffer.alloc(3 * link.sender.getSendBufferSize());
    const { code, syscall } = systemFields(await failureOf(link.send(data)));
    assert.deepEqual({ code, syscall }, { code: 'EMSGSIZE', syscall: 'sendmsg' });
    assert.equal((await failureOf(() => link.trySend(data))).code, 'EMSGSIZE');
    await link.send('small');
    assert.equal((await link.receive()).data.toString(), 'small');
  });

  test(`${kind.title}: the longest message that fits arrives whole`, async (t) => {
    const link = await kind.open(t);
    link.sender.setSendBufferSize(64 * 1024);
    // Largest message: SO_SNDBUF less what the kernel keeps for itself. KERNEL: SO_SNDBUF - 32
    const data = Buffer.alloc(link.sender.getSendBufferSize() - 32, 7);
    await link.send(data);
    const message = await link.receive();
    assert.ok(message.data.equals(data));
    const tooLong = Buffer.alloc(data.length + 1);
    assert.equal((await failureOf(link.send(tooLong))).code, 'EMSGSIZE');
  });

  test(`${kind.title}: 'message' events come in order, more than one batch of them`, async (t) => {
    const link = await kind.open(t);
    const seen: string[] = [];
    const count = 100;
    const all = new Promise<void>((resolve) => {
      link.receiver.on('message', (message: Message) => {
        seen.push(message.data.toString());
        if (seen.length === count) resolve();
      });
    });
    for (let i = 0; i < count; i++) await link.send(`${i}`);
    await all;
    assert.deepEqual(
      seen,
      Array.from({ length: count }, (_, i) => `${i}`),
    );
  });
}

for (const kind of linkKinds.filter(({ type }) => type === 'seqpacket')) {
  test(`${kind.title}: an empty packet is a message and the end is null`, async (t) => {
    const link = await kind.open(t);
    await link.send('');
    const message = await link.receive();
    assert.equal(message.data.length, 0);
    await link.sender.close();
    assert.equal(await link.receiver.receive(), null);
  });

  test(`${kind.title}: an empty packet sent just before close is not lost in the end`, async (t) => {
    const link = await kind.open(t);
    const receiver = link.receiver as UnixSeqpacket;
    assert.ok(link.trySend('last'));
    assert.ok(link.trySend(''));
    void link.sender.close();
    const seen: string[] = [];
    receiver.on('message', (message: Message) => seen.push(message.data.toString()));
    receiver.on('end', () => seen.push('end'));
    await once(receiver, 'close');
    assert.deepEqual(seen, ['last', '', 'end']);
  });

  test(`${kind.title}: after end() the other direction still works, if half-open was asked for`, async (t) => {
    const link = await kind.open(t, { allowHalfOpen: true } as object);
    const receiver = link.receiver as UnixSeqpacket;
    const sender = link.sender as UnixSeqpacket;
    await link.send('request');
    sender.end();
    assert.equal((await link.receive()).data.toString(), 'request');
    assert.equal(await receiver.receive(), null);
    assert.equal(receiver.closed, false);
    assert.equal((await failureOf(sender.send('more'))).code, 'EPIPE');
    await receiver.send('answer');
    assert.equal((await sender.receive())?.data.toString(), 'answer');
    assert.equal(await receiver.receive(), null, 'the end stays the end');
  });
}

for (const kind of linkKinds.filter(({ type }) => type === 'dgram')) {
  test(`${kind.title}: a sender that closes is no end for the receiver`, async (t) => {
    const link = await kind.open(t);
    await link.send('');
    await link.sender.close();
    assert.equal((await link.receive()).data.length, 0);
    const error = await failureOf(link.receiver.receive({ timeout: 20 }));
    assert.equal(error.code, 'ERR_FDPASS_TIMEOUT');
    assert.equal(link.receiver.closed, false);
  });
}

test('nobody who transfers the memory of a message away takes another message with it', async (t) => {
  const [sender, receiver] = UnixSeqpacket.pair();
  closeAfter(t, sender, receiver);
  const sent = [
    '',
    'first',
    '',
    '',
    'second',
    'third',
    '',
    ...['4', '5', '6', '7'].map((digit) => digit.repeat(50_000)),
  ];
  const received: Buffer[] = [];
  receiver.on('message', ({ data }) => {
    if (received.length % 2 === 1) tryToTransferAway(data);
    received.push(data);
  });
  for (const text of sent) await sender.send(text);
  while (received.length < sent.length) await once(receiver, 'message');
  for (const [index, text] of sent.entries()) {
    if (index % 2 === 0) assert.equal(received[index]?.toString(), text);
  }
});
