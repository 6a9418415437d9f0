// Section errors of cases.md: what a failure looks like, and that it spoils nothing.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  type SystemError,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixServer,
  UnixStream,
} from 'fdpass';
import { SCM, SOL_SOCKET } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { failureOf, systemFields } from '../helpers/outcome';
import { destroyAfter, link } from './link';
import { fails, rejects } from './outcome';
import {
  cmsg,
  freshAddresses,
  freshPath,
  ints,
  packetTypes,
  rawBound,
  rawListener,
  rawOpen,
  rawPair,
  receiveCode,
  take,
  textOf,
  types,
} from './raw';
import { type Row, row } from './row';
import { sysctl } from './system';

const ENOENT = 2; // of include/uapi/asm-generic/errno-base.h
const ECONNREFUSED = 111; // of include/uapi/asm-generic/errno.h

row('ER-03', 'UnixDatagram UnixSeqpacket UnixSeqpacketServer UnixServer UnixStream RawSocket', async (t) => {
  const file = freshPath(t);
  const dgram = t.keep(new UnixDatagram());
  const raw = rawOpen(t, 'stream');
  const stream = UnixStream.connect(file);
  destroyAfter(t, stream);
  const streamError = once(stream, 'error') as Promise<[SystemError]>;
  const missing = `${file}/s`;
  const calls: [syscall: string, errno: number, code: string, address: string, error: SystemError][] = [
    ['sendmsg', ENOENT, 'ENOENT', file, await failureOf(dgram.send('x', file))],
    ['connect', ENOENT, 'ENOENT', file, await failureOf(() => dgram.connect(file))],
    ['bind', ENOENT, 'ENOENT', missing, await failureOf(() => dgram.bind(missing))],
    ['connect', ENOENT, 'ENOENT', file, await failureOf(() => t.keep(new UnixSeqpacket()).connect(file))],
    [
      'bind',
      ENOENT,
      'ENOENT',
      missing,
      await failureOf(() => t.keep(new UnixSeqpacketServer()).listen(missing)),
    ],
    ['bind', ENOENT, 'ENOENT', missing, await failureOf(() => t.keep(new UnixServer()).listen(missing))],
    ['connect', ENOENT, 'ENOENT', file, (await streamError)[0]],
    ['connect', ENOENT, 'ENOENT', file, await failureOf(() => raw.connect(file))],
  ];
  const name = `@${freshName()}`;
  calls.push(['connect', ECONNREFUSED, 'ECONNREFUSED', name, await failureOf(() => raw.connect(name))]);
  for (const [syscall, errno, code, address, error] of calls) {
    assert.ok(error instanceof Error);
    const { message, ...fields } = systemFields(error);
    assert.deepEqual(fields, { code, errno: -errno, syscall, address });
    assert.ok(`${message}`.startsWith(`${syscall} ${code} ${address}`), `${message}`);
  }
});

row('ER-07', 'UnixDatagram UnixSeqpacket UnixStream RawSocket', async (t) => {
  // biome-ignore lint/suspicious/noExplicitAny: wrong types are what is tried
  const wrong = (value: unknown): any => value;
  const data = [undefined, null, 5, true, {}, ['x'], Symbol('x')];
  for (const type of types) {
    const { sender, send, receive } = link(t, type);
    const [left, right] = rawPair(t, type);
    for (const value of data) {
      await rejects('ERR_INVALID_ARG_TYPE', send(wrong(value)));
      if (!Array.isArray(value)) fails('ERR_INVALID_ARG_TYPE', () => left.send(wrong(value)));
    }
    fails('ERR_INVALID_ARG_TYPE', () => left.send(['x'].map(wrong).concat(5)));
    fails('ERR_INVALID_ARG_TYPE', () => left.send('x', wrong(5)));
    fails('ERR_INVALID_ARG_TYPE', () => left.send('x', { control: wrong(5) }));
    fails('ERR_INVALID_ARG_TYPE', () => left.send('x', { flags: wrong('1') }));
    fails('ERR_INVALID_ARG_TYPE', () => left.send('x', { fds: wrong(5) }));
    fails('ERR_INVALID_ARG_TYPE', () => left.send('x', { to: wrong(5) }));
    fails('ERR_INVALID_ARG_TYPE', () => left.send('x', { credentials: wrong(5) }));
    for (const options of [5, { buffers: 'x' }, { buffers: [5] }, { controlBytes: 'x' }, { flags: {} }]) {
      fails('ERR_INVALID_ARG_TYPE', () => right.receive(wrong(options)));
    }
    if (!(sender instanceof UnixStream)) {
      await rejects('ERR_INVALID_ARG_TYPE', sender.receive({ signal: wrong(5) }));
      await rejects('ERR_INVALID_ARG_TYPE', sender.receive({ timeout: wrong('x') }));
    }
    if (sender instanceof UnixDatagram) await rejects('ERR_INVALID_ARG_TYPE', sender.send('x', wrong(5)));
    await send('good');
    assert.equal((await receive()).data, 'good');
    left.send('good');
    assert.equal(textOf(right), 'good');
  }
});

row('ER-08', 'RawSocket UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  const bytes = Buffer.from('0123456789');
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    const { send, receive } = link(t, type);
    // A part is a view; the views of JavaScript cannot leave their buffer.
    assert.throws(() => new Uint8Array(bytes.buffer, bytes.buffer.byteLength, 1), RangeError);
    await send(bytes.subarray(8, 100));
    assert.equal((await receive()).data, '89');
    fails('ERR_OUT_OF_RANGE', () => right.receive({ buffers: -1 }));
    fails('ERR_OUT_OF_RANGE', () => right.receive({ buffers: 2 ** 31 }));
    fails('ERR_OUT_OF_RANGE', () => right.receive({ controlBytes: -1 }));
    fails('ERR_OUT_OF_RANGE', () => right.receive({ buffers: 1.5 }));
    assert.equal(left.send(bytes.subarray(10)), 0);
    if (type !== 'stream') assert.equal(right.receive().size, 0);
    left.send(bytes.subarray(3, 5));
    assert.equal(
      right.receive({ buffers: [bytes.subarray(10), bytes.subarray(0, 2)] }).data.toString(),
      '34',
    );
  }
});

row('ER-11', 'UnixDatagram UnixSeqpacket UnixStream', async (t) => {
  for (const type of packetTypes) {
    const { sender, receiver, queue } = full(t, type);
    const settled: string[] = [];
    const follow = (name: string, sending: Promise<void>): Promise<unknown> =>
      sending.then(
        () => settled.push(`${name} sent`),
        ({ code }: SystemError) => settled.push(`${name} ${code}`),
      );
    const abort = new AbortController();
    const sends = [
      follow('a', queue('a')),
      follow('b', queue('b', abort.signal)),
      follow('c', queue('c')),
      follow('d', queue('d')),
    ];
    assert.equal(sender.queuedMessages, 4);
    abort.abort();
    await sends[1];
    assert.equal(sender.queuedMessages, 3);
    for (let data = ''; data !== 'a'; ) data = (await receiver.receive())?.data.toString() ?? '';
    await sends[0];
    await sender.close();
    await Promise.all(sends);
    assert.equal(sender.queuedMessages, 0);
    assert.deepEqual(
      settled.map((line) => line.slice(0, 1)),
      ['b', 'a', 'c', 'd'],
    );
    assert.deepEqual(settled.slice(0, 2), ['b ABORT_ERR', 'a sent']);
    for (const line of settled.slice(2)) assert.match(line, /sent$|ERR_FDPASS_CLOSED$/);
  }
  const streams = UnixStream.pair();
  destroyAfter(t, ...streams);
  const [writer] = streams;
  const settled: string[] = [];
  const writes = ['a', 'b', 'c'].map((name) =>
    writer.send(Buffer.alloc(4 * sysctl('net/core/wmem_default')), {}).then(
      () => settled.push(`${name} sent`),
      () => settled.push(`${name} failed`),
    ),
  );
  streams[1].destroy();
  writer.on('error', () => {});
  await Promise.all(writes);
  assert.deepEqual(settled, ['a failed', 'b failed', 'c failed']);
});

interface Full {
  sender: UnixDatagram | UnixSeqpacket;
  receiver: UnixDatagram | UnixSeqpacket;
  queue(data: string, signal?: AbortSignal): Promise<void>;
}

/** A pair whose next messages have to wait. */
function full(t: Row, type: 'dgram' | 'seqpacket'): Full {
  if (type === 'dgram') {
    const [sender, receiver] = UnixDatagram.pair();
    t.keep(sender);
    while (sender.trySend('fills'));
    return {
      sender,
      receiver: t.keep(receiver),
      queue: (data, signal) => sender.send(data, undefined, { signal }),
    };
  }
  const [sender, receiver] = UnixSeqpacket.pair();
  t.keep(sender);
  while (sender.trySend('fills'));
  return { sender, receiver: t.keep(receiver), queue: (data, signal) => sender.send(data, { signal }) };
}

row('ER-17', 'RawSocket', (t) => {
  const UNKNOWN_TYPE = 0x1234;
  const ANOTHER_LEVEL = 0x4321;
  for (const type of types) {
    const [left, right] = rawPair(t, type);
    const send = (control: Buffer): number => left.send('sent', { control });
    fails('EINVAL', () => send(cmsg(SOL_SOCKET, UNKNOWN_TYPE, ints(1))));
    fails('EINVAL', () => send(cmsg(SOL_SOCKET, SCM.RIGHTS, ints(1), 8)));
    assert.equal(receiveCode(right), 'EAGAIN');
    send(cmsg(ANOTHER_LEVEL, SCM.RIGHTS, ints(1)));
    send(cmsg(SOL_SOCKET, SCM.RIGHTS, Buffer.alloc(3), 16 + 3));
    let data = '';
    while (data !== 'sentsent') {
      const message = take(t, right);
      data += message.data.toString();
      assert.deepEqual([message.fds, message.flags], [[], 0]);
    }
  }
});

row('ER-18', 'RawSocket UnixDatagram UnixSeqpacket', async (t) => {
  for (const address of freshAddresses(t)) {
    const missing = address.startsWith('@') ? 'ECONNREFUSED' : 'ENOENT';
    const raw = rawOpen(t, 'stream');
    const dgram = t.keep(new UnixDatagram());
    const seqpacket = t.keep(new UnixSeqpacket());
    const other = address.startsWith('@') ? address : `${address}2`;
    for (let i = 0; i < 3; i++) {
      fails(missing, () => raw.connect(address));
      fails(missing, () => seqpacket.connect(address));
      fails(missing, () => dgram.connect(other));
    }
    const listener = rawListener(t, 'stream', address);
    raw.connect(address);
    raw.send('after all');
    assert.equal(textOf(t.keep(listener.accept())), 'after all');
    const receiver = rawBound(t, 'dgram', other);
    dgram.connect(other);
    await dgram.send('after all');
    assert.equal(textOf(receiver), 'after all');
    const at = address.startsWith('@') ? address : `${address}3`;
    const packets = rawListener(t, 'seqpacket', at);
    seqpacket.connect(at);
    await seqpacket.send('after all');
    assert.equal(textOf(t.keep(packets.accept())), 'after all');
  }
});
