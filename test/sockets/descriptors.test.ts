// Passing descriptors over every kind of link: identity, limits, refusals, and that nothing leaks or is sent by halves.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import test from 'node:test';
import { Fd, type FdLike, type Message, UnixDatagram, UnixSeqpacket } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { MAX_FDS_PER_MESSAGE } from '#fdpass/base/limits';
import { SOCK_DGRAM } from '#fdpass/fd/describe';
import { binding } from '#fdpass/native/binding';
import { identity, isCloseOnExec, settledFdCount } from '../helpers/fd-count';
import { closeAfter, type Link, linkKinds } from '../helpers/link';
import { failureOf } from '../helpers/outcome';
import { openPipe, readNow, writeNow } from '../helpers/pipe';

function closeAll(message: Message): void {
  for (const fd of message.fds) fd.close();
}

/** SO_PASSRIGHTS, Linux 6.16. */
function knowsPassRights(): boolean {
  using socket = Fd.own(binding.openSocket(SOCK_DGRAM));
  try {
    binding.setPassRights(socket.fd, 0);
    return true;
  } catch {
    return false;
  }
}

const refusesAtSender = knowsPassRights();

/** Nothing was queued by what failed before: the next message is this one. */
async function assertUsable(link: Link): Promise<void> {
  await link.send('still usable');
  assert.equal((await link.receive()).data.toString(), 'still usable');
}

for (const kind of linkKinds) {
  test(`${kind.title}: a passed descriptor is the same file, close-on-exec, and the sender keeps its own`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    const { reader, writer } = openPipe(t);
    await link.send('take', { fds: [writer] });
    const message = await link.receive();
    assert.equal(message.data.toString(), 'take');
    assert.equal(message.fds.length, 1);
    assert.equal(message.fdsDropped, false);
    const received = message.fds[0] as Fd;
    assert.notEqual(received.fd, writer.fd);
    assert.equal(identity(received.fd), identity(writer.fd));
    assert.ok(isCloseOnExec(received.fd));
    writer.close();
    writeNow(received, 'through');
    assert.equal(readNow(reader), 'through');
    assert.equal(readNow(reader), undefined);
    received.close();
    assert.equal(readNow(reader), '', 'every copy of the writing end is closed');
  });

  test(`${kind.title}: an empty message carries descriptors`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    await link.send('', { fds: [0] });
    const message = await link.receive();
    assert.equal(message.data.length, 0);
    assert.equal(message.fds.length, 1);
    closeAll(message);
  });

  test(`${kind.title}: 253 descriptors arrive in order`, async (t) => {
    const link = await kind.open(t, { maxFds: MAX_FDS_PER_MESSAGE });
    const { reader, writer } = openPipe(t);
    const fds = Array.from({ length: MAX_FDS_PER_MESSAGE }, (_, i) => (i % 3 === 0 ? writer : reader));
    await link.send('many', { fds });
    const message = await link.receive();
    assert.deepEqual(
      message.fds.map(({ fd }) => identity(fd)),
      fds.map(({ fd }) => identity(fd)),
    );
    assert.equal(new Set(message.fds.map(({ fd }) => fd)).size, MAX_FDS_PER_MESSAGE);
    assert.equal(message.fdsDropped, false);
    closeAll(message);
  });

  test(`${kind.title}: 254 descriptors are a RangeError and nothing is sent`, async (t) => {
    const link = await kind.open(t, { maxFds: MAX_FDS_PER_MESSAGE });
    const fds = Array.from({ length: MAX_FDS_PER_MESSAGE + 1 }, () => 0);
    const error = await failureOf(link.send('too many', { fds }));
    assert.ok(error instanceof RangeError);
    assert.equal(error.message, 'options.fds.length must be an integer from 0 to 253; it is 254');
    assert.ok((await failureOf(() => link.trySend('too many', { fds }))) instanceof RangeError);
    await assertUsable(link);
  });

  test(`${kind.title}: a list with something that is no descriptor is refused and nothing is sent`, async (t) => {
    const link = await kind.open(t, { maxFds: 4 });
    const closed = Fd.dup(0);
    closed.close();
    const cases: [unknown, string][] = [
      [[1.5], 'ERR_OUT_OF_RANGE'],
      [[-1], 'ERR_OUT_OF_RANGE'],
      [[Number.NaN], 'ERR_OUT_OF_RANGE'],
      [[{ fd: 1.5 }], 'ERR_OUT_OF_RANGE'],
      [['3'], 'ERR_INVALID_ARG_TYPE'],
      [[0, undefined], 'ERR_INVALID_ARG_TYPE'],
      [{}, 'ERR_INVALID_ARG_TYPE'],
      [null, 'ERR_INVALID_ARG_TYPE'],
      ['', 'ERR_INVALID_ARG_TYPE'],
      [0, 'ERR_INVALID_ARG_TYPE'],
      [[0, closed], 'ERR_FDPASS_CLOSED'],
    ];
    for (const [fds, code] of cases) {
      const options = { fds: fds as FdLike[] };
      assert.equal((await failureOf(link.send('bad', options))).code, code, JSON.stringify(fds));
      assert.equal((await failureOf(() => link.trySend('bad', options))).code, code);
    }
    await assertUsable(link);
  });

  test(`${kind.title}: a good descriptor beside a closed number is EBADF and neither is sent`, async (t) => {
    const link = await kind.open(t, { maxFds: 4 });
    const number = openSync('/dev/null', 'r');
    closeSync(number);
    const error = await failureOf(link.send('half', { fds: [0, number] }));
    assert.equal(error.code, 'EBADF');
    assert.equal(error.syscall, 'sendmsg');
    await assertUsable(link);
  });

  test(`${kind.title}: by default no descriptor can be forced upon the receiver`, async (t) => {
    const link = await kind.open(t);
    const { reader, writer } = openPipe(t);
    const before = await settledFdCount();
    // Linux 6.16 and later refuse at the sender; before, the kernel closes what arrives and says so.
    const error = await link.send('unasked', { fds: [writer] }).catch((failure) => failure);
    assert.equal(error?.code, refusesAtSender ? 'EPERM' : undefined);
    if (error === undefined) assert.equal((await link.receive()).fdsDropped, true);
    assert.equal(await settledFdCount(), before);
    writer.close();
    assert.equal(readNow(reader), '', 'no copy is left anywhere');
    await assertUsable(link);
  });

  test(`${kind.title}: more descriptors than maxFds are closed and reported, those that fit are kept`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    const pipes = [openPipe(t), openPipe(t), openPipe(t)];
    await link.send('three', { fds: pipes.map(({ writer }) => writer) });
    const message = await link.receive();
    assert.equal(message.fdsDropped, true);
    assert.equal(message.fds.length, 1);
    assert.equal(identity((message.fds[0] as Fd).fd), identity((pipes[0] as (typeof pipes)[0]).writer.fd));
    for (const { writer } of pipes) writer.close();
    assert.deepEqual(
      pipes.map(({ reader }) => readNow(reader)),
      [undefined, '', ''],
    );
    closeAll(message);
  });

  test(`${kind.title}: descriptors of a cut message still arrive`, async (t) => {
    const link = await kind.open(t, { maxFds: 2, maxBytes: 2 });
    await link.send('long', { fds: [0, 0] });
    const message = await link.receive();
    assert.equal(message.truncated, true);
    assert.equal(message.fds.length, 2);
    closeAll(message);
  });

  test(`${kind.title}: descriptors stay with their own message in a batch`, async (t) => {
    const link = await kind.open(t, { maxFds: 3 });
    for (const count of [0, 2, 0, 3, 1]) {
      assert.ok(link.trySend(`${count}`, { fds: new Array(count).fill(0) }));
    }
    const seen: [string, number][] = [];
    await new Promise<void>((resolve) => {
      link.receiver.on('message', (message: Message) => {
        seen.push([message.data.toString(), message.fds.length]);
        closeAll(message);
        if (seen.length === 5) resolve();
      });
    });
    assert.deepEqual(seen, [
      ['0', 0],
      ['2', 2],
      ['0', 0],
      ['3', 3],
      ['1', 1],
    ]);
  });

  test(`${kind.title}: received descriptors that nobody took are closed with the socket`, async (t) => {
    const link = await kind.open(t, { maxFds: 1 });
    const { reader, writer } = openPipe(t);
    for (let i = 0; i < 3; i++) assert.ok(link.trySend(`${i}`, { fds: [writer] }));
    // The batch is received by a listener that leaves after the first message.
    const first = await new Promise<Message>((resolve) => link.receiver.once('message', resolve));
    closeAll(first);
    writer.close();
    assert.equal(readNow(reader), undefined);
    await link.receiver.close();
    assert.equal(readNow(reader), '');
  });
}

for (const [type, Socket] of [
  ['dgram', UnixDatagram],
  ['seqpacket', UnixSeqpacket],
] as const) {
  test(`${type}: what was passed before the receiver was known to want none is closed, and told`, async (t) => {
    const [theirs, ours] = RawSocket.pair(type);
    t.after(() => theirs.close());
    const { reader, writer } = openPipe(t);
    theirs.send('x', { fds: [writer] });
    writer.close();
    const socket = Socket.adopt(ours.detach()); // maxFds 0
    t.after(() => socket.close());
    const message = await socket.receive();
    assert.deepEqual([message?.fds, message?.fdsDropped], [[], true]);
    assert.equal(readNow(reader), '');
  });
}

test('a list that sends others while it is read sends what it says', async (t) => {
  const [left, right] = UnixSeqpacket.pair({ maxFds: 2 });
  closeAfter(t, left, right);
  const pipes = [openPipe(t), openPipe(t), openPipe(t), openPipe(t)];
  const [one, two, three, four] = pipes.map(({ writer }) => writer.fd) as [number, number, number, number];
  left.trySend('before', { fds: [one, one] });
  let meddles = true;
  const meddler = {
    get fd() {
      if (meddles) left.trySend('inner', { fds: [three, four] });
      meddles = false;
      return two;
    },
  };
  left.trySend('outer', { fds: [one, meddler] });
  const seen: unknown[] = [];
  for (const _ of ['before', 'inner', 'outer']) {
    const message = (await right.receive()) as Message;
    seen.push([message.data.toString(), message.fds.map((fd) => identity(fd.fd))]);
    Fd.closeAll(message.fds);
  }
  const ids = (...fds: number[]): string[] => fds.map((fd) => identity(fd));
  assert.deepEqual(seen, [
    ['before', ids(one, one)],
    ['inner', ids(three, four)],
    ['outer', ids(one, two)],
  ]);
});
