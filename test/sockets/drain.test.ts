// writableNeedDrain and 'drain': when a sender should slow down, and that it is always told when to go on.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { setTimeout as delay, setImmediate as nextTurn } from 'node:timers/promises';
import { type SocketOptions, UnixDatagram, UnixSeqpacket } from 'fdpass';
import { DEFAULT_HIGH_WATER_MARK, MAX_QUEUED_MESSAGES } from '#fdpass/base/limits';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { closeAfter } from '../helpers/link';
import { failureOf } from '../helpers/outcome';

interface Flow {
  sender: UnixDatagram | UnixSeqpacket;
  receiver: UnixDatagram | UnixSeqpacket;
  trySend(text: string): boolean;
  send(text: string, options?: { signal?: AbortSignal }): Promise<void>;
}

const kinds: Record<string, (t: TestContext, options?: SocketOptions) => Flow> = {
  'dgram, connected'(t, options = {}) {
    const [sender, receiver] = UnixDatagram.pair(options);
    closeAfter(t, sender, receiver);
    return {
      sender,
      receiver,
      trySend: (text) => sender.trySend(text),
      send: (text, more) => sender.send(text, undefined, more),
    };
  },
  'dgram, unconnected'(t, options = {}) {
    const receiver = new UnixDatagram().bind(`@${freshName()}`);
    const sender = new UnixDatagram(options);
    const to = receiver.address();
    closeAfter(t, sender, receiver);
    return {
      sender,
      receiver,
      trySend: (text) => sender.trySend(text, to),
      send: (text, more) => sender.send(text, to, more),
    };
  },
  seqpacket(t, options = {}) {
    const [sender, receiver] = UnixSeqpacket.pair(options);
    closeAfter(t, sender, receiver);
    return {
      sender,
      receiver,
      trySend: (text) => sender.trySend(text),
      send: (text, more) => sender.send(text, more),
    };
  },
};

function fill({ trySend }: Flow): number {
  let count = 0;
  while (trySend('x')) count++;
  return count;
}

for (const [title, open] of Object.entries(kinds)) {
  test(`${title}: a refused trySend() is followed by 'drain', with room for another one`, async (t) => {
    const flow = open(t);
    assert.equal(flow.sender.writableNeedDrain, false);
    const count = fill(flow);
    assert.equal(flow.sender.writableNeedDrain, true);
    let refused = 1;
    let drains = 0;
    flow.sender.on('drain', () => {
      drains++;
      assert.equal(flow.sender.writableNeedDrain, false);
      if (!flow.trySend('more')) refused++;
    });
    const seen: string[] = [];
    flow.receiver.on('message', ({ data }) => seen.push(`${data}`));
    while (!seen.includes('more')) await once(flow.receiver, 'message');
    assert.equal(drains, refused, 'one for each');
    assert.equal(seen.filter((text) => text === 'x').length, count);
  });

  test(`${title}: a sender that obeys 'drain' brings 2000 messages in order`, async (t) => {
    const flow = open(t);
    const seen: string[] = [];
    flow.receiver.on('message', ({ data }) => seen.push(`${data}`));
    for (let sent = 0; sent < 2000; sent++) {
      while (!flow.trySend(`${sent}`)) await once(flow.sender, 'drain');
    }
    while (seen.length < 2000) await once(flow.receiver, 'message');
    assert.deepEqual(
      seen,
      seen.map((_, index) => `${index}`),
    );
  });

  test(`${title}: a sender that tries at every 'drain' costs next to no CPU while the peer stays full`, async (t) => {
    const flow = open(t);
    fill(flow);
    let drains = 0;
    flow.sender.on('drain', () => {
      drains++;
      flow.trySend('more');
    });
    const before = process.cpuUsage();
    await delay(500); // the time in which a busy loop would show
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 100_000, `${user + system} us of CPU in 500 ms`);
    assert.ok(drains < 60, `${drains} times`);
  });

  test(`${title}: writableNeedDrain is true from the high-water mark until nothing waits`, async (t) => {
    const flow = open(t, { highWaterMark: 3 });
    const waiting: Promise<void>[] = [];
    while (flow.sender.queuedMessages === 0) waiting.push(flow.send('x'));
    waiting.push(flow.send('x'));
    assert.equal(flow.sender.writableNeedDrain, false, 'two wait');
    waiting.push(flow.send('x'));
    assert.equal(flow.sender.writableNeedDrain, true, 'three wait');
    let left = -1;
    flow.sender.on('drain', () => {
      left = flow.sender.queuedMessages;
    });
    flow.receiver.on('message', () => {});
    await once(flow.sender, 'drain');
    assert.equal(left, 0);
    assert.equal(flow.sender.writableNeedDrain, false);
    await Promise.all(waiting);
  });

  test(`${title}: taking back what waits is a 'drain', too; closing is none`, async (t) => {
    const flow = open(t, { highWaterMark: 1 });
    fill(flow);
    const controller = new AbortController();
    const waiting = failureOf(flow.send('late', { signal: controller.signal }));
    assert.equal(flow.trySend('behind it'), false);
    const drained = once(flow.sender, 'drain');
    controller.abort();
    assert.equal((await waiting).name, 'AbortError');
    await drained;
    assert.equal(flow.trySend('still full'), false);
    flow.sender.on('drain', () => assert.fail('closed'));
    await flow.sender.close();
    assert.equal(flow.sender.writableNeedDrain, false);
    await nextTurn();
  });
}

test('a destination that stays full does not keep from those who try another', async (t) => {
  const [stuck, slow] = [new UnixDatagram().bind(), new UnixDatagram().bind()];
  const sender = new UnixDatagram();
  closeAfter(t, stuck, slow, sender);
  for (const { address } of [stuck, slow].map((socket) => ({ address: socket.address() }))) {
    while (sender.trySend('x', address));
  }
  const waiting = failureOf(sender.send('for ever', stuck.address()));
  slow.on('message', () => {});
  while (!sender.trySend('more', slow.address())) await once(sender, 'drain');
  await sender.close();
  assert.equal((await waiting).code, 'ERR_FDPASS_CLOSED');
});

test('behind the high-water mark there is no drain before the messages of all destinations went', async (t) => {
  const receivers = [new UnixDatagram().bind(), new UnixDatagram().bind()] as const;
  const sender = new UnixDatagram({ highWaterMark: 2 });
  closeAfter(t, ...receivers, sender);
  const waiting: Promise<void>[] = [];
  for (const [index, receiver] of receivers.entries()) {
    while (sender.queuedMessages === index) waiting.push(sender.send('x', receiver.address()));
  }
  assert.equal(sender.writableNeedDrain, true);
  const log: number[] = [];
  sender.on('drain', () => log.push(sender.queuedMessages));
  receivers[0].on('message', () => {});
  while (sender.queuedMessages > 1) await once(receivers[0], 'message');
  await nextTurn();
  assert.deepEqual(log, []);
  receivers[1].on('message', () => {});
  await once(sender, 'drain');
  assert.deepEqual(log, [0]);
  await Promise.all(waiting);
});

test("a listener of 'drain' that throws costs nobody the outcome of a send()", async (t) => {
  const { code, signal, stdout, stderr } = await startFixture(t, 'throwing-drain-listener').ended;
  assert.equal(stderr, '');
  assert.equal(stdout, 'drain\nsent\n');
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
});

test('a wrong highWaterMark is refused', () => {
  for (const highWaterMark of [0, -1, 1.5, MAX_QUEUED_MESSAGES + 1, '1']) {
    assert.throws(() => new UnixDatagram({ highWaterMark: highWaterMark as number }), /^(Range|Type)Error/);
  }
  assert.ok(DEFAULT_HIGH_WATER_MARK > 1);
});
