// The table that every foreign peer is put through: both directions, both types, all kinds of names, 1 and 253 descriptors.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { type Fd, type Message, UnixAddress, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { freshName } from './address-name';
import type { Child } from './child';
import { hex, type StartPeer } from './foreign-peer';
import { closeAfter } from './link';
import { openPipe, readNow, writeNow } from './pipe';
import { tmpDir } from './tmp-dir';

const names: [string, (t: TestContext) => UnixAddress][] = [
  ['a path', (t) => UnixAddress.path(path.join(tmpDir(t), 's'))],
  ['an abstract name', () => UnixAddress.abstract(freshName())],
  ['odd bytes', () => UnixAddress.abstract(Buffer.from(`${freshName()}\0\xff\x01\n\0`, 'latin1'))],
];

const types = ['dgram', 'seqpacket'] as const;

/** Receives one message at `at`; `listening` is called when the peer may send. */
async function receiveAt(
  t: TestContext,
  type: (typeof types)[number],
  at: UnixAddress,
  maxFds: number,
  listening: () => void,
): Promise<Message> {
  if (type === 'dgram') {
    const socket = new UnixDatagram({ maxFds }).bind(at);
    closeAfter(t, socket);
    listening();
    return await socket.receive();
  }
  const server = new UnixSeqpacketServer({ maxFds }).listen(at);
  closeAfter(t, server);
  listening();
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  closeAfter(t, connection);
  const message = await connection.receive();
  assert.ok(message !== null);
  return message;
}

async function sendTo(
  t: TestContext,
  type: (typeof types)[number],
  to: UnixAddress,
  fds: Fd[],
): Promise<void> {
  const socket = type === 'dgram' ? new UnixDatagram() : new UnixSeqpacket();
  closeAfter(t, socket);
  socket.connect(to);
  if (socket instanceof UnixDatagram) await socket.send('from node', undefined, { fds });
  else await socket.send('from node', { fds });
}

interface Case {
  t: TestContext;
  type: (typeof types)[number];
  at: UnixAddress;
}

/** The peer sends the writing end of a pipe; we write through it. */
async function receiveFrom(
  start: StartPeer,
  { t, type, at }: Case,
  sent: number,
  maxFds: number,
): Promise<Message> {
  const children: Child[] = [];
  const message = await receiveAt(t, type, at, maxFds, () => {
    children.push(start(t, 'send', type, hex(at), `${sent}`));
  });
  const child = children[0] as Child;
  const inode = BigInt(await child.line());
  for (const fd of message.fds) assert.equal(fd.describe().inode, inode);
  writeNow(message.fds.at(-1) as Fd, 'through node');
  assert.equal(await child.line(), 'through node');
  for (const fd of message.fds) fd.close();
  assert.match(await child.line(), /^(b''|0)$/); // the end of the pipe: no copy is left, also of those dropped
  const { code, signal } = await child.ended;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  return message;
}

/** We send the writing end of a pipe to a peer with this much room; it writes through the first. */
async function sendToPeer(
  start: StartPeer,
  { t, type, at }: Case,
  sent: number,
  room: number,
): Promise<string> {
  const child = start(t, 'receive', type, hex(at), `${room}`);
  assert.equal(await child.line(), 'ready');
  const { reader, writer } = openPipe(t);
  const inode = writer.describe().inode;
  await sendTo(t, type, at, new Array<Fd>(sent).fill(writer));
  writer.close();
  const summary = await child.line();
  const inodes = (await child.line()).trim().split(' ').filter(Boolean);
  for (const number of inodes) assert.equal(BigInt(number), inode);
  const { code, signal } = await child.ended;
  assert.deepEqual({ code, signal }, { code: 0, signal: null });
  if (inodes.length > 0) assert.match(String(readNow(reader)), /^through /);
  assert.equal(readNow(reader), '', 'no copy is left, also of those dropped');
  return summary;
}

/**
 * @param peer its name, for the titles
 * @param room what the peer's `receive` is told for that many descriptors
 */
export function testInterop(peer: string, start: StartPeer, room: (fds: number) => number): void {
  for (const type of types) {
    const abstract = (t: TestContext): Case => ({ t, type, at: UnixAddress.abstract(freshName()) });
    for (const [title, name] of names) {
      test(`${peer} to us, ${type}, ${title}: the descriptor is its pipe`, async (t) => {
        const message = await receiveFrom(start, { t, type, at: name(t) }, 1, 1);
        assert.match(message.data.toString(), /^from /);
        assert.equal(message.fds.length, 1);
      });
      test(`us to ${peer}, ${type}, ${title}: the descriptor is our pipe`, async (t) => {
        assert.equal(await sendToPeer(start, { t, type, at: name(t) }, 1, room(1)), 'from node 1 0');
      });
    }
    test(`${peer} to us, ${type}: 253 descriptors`, async (t) => {
      const message = await receiveFrom(start, abstract(t), 253, 253);
      assert.equal(message.fds.length, 253);
      assert.equal(message.fdsDropped, false);
    });
    test(`us to ${peer}, ${type}: 253 descriptors`, async (t) => {
      assert.equal(await sendToPeer(start, abstract(t), 253, room(253)), 'from node 253 0');
    });
    test(`${peer} to us, ${type}: more descriptors than maxFds are closed and reported`, async (t) => {
      for (const [sent, maxFds] of [
        [2, 1],
        [10, 3],
        [253, 252],
      ] as const) {
        const message = await receiveFrom(start, abstract(t), sent, maxFds);
        assert.equal(message.fds.length, maxFds);
        assert.equal(message.fdsDropped, true);
      }
    });
    test(`us to ${peer}, ${type}: a control buffer that is too short loses descriptors of the peer only`, async (t) => {
      assert.equal(await sendToPeer(start, abstract(t), 5, room(2)), 'from node 2 1');
      assert.equal(await sendToPeer(start, abstract(t), 1, room(0)), 'from node 0 1');
    });
  }

  test(`${peer} and we answer each other at names of odd bytes`, async (t) => {
    const odd = (): UnixAddress => UnixAddress.abstract(Buffer.from(`${freshName()}\0\xff\x01\n`, 'latin1'));
    const [ours, theirs] = [odd(), odd()];
    const socket = new UnixDatagram().bind(ours);
    closeAfter(t, socket);
    const child = start(t, 'echo', hex(theirs), hex(ours));
    const message = await socket.receive();
    assert.equal(message.data.toString(), 'hello');
    assert.ok(message.from.equals(theirs));
    await socket.send('answer', message.from);
    assert.equal(await child.line(), `answer ${hex(ours)}`);
    assert.equal((await child.ended).code, 0);
  });
}
