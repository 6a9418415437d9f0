// lend(): the number behind everything of Node that has one.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import fs from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { Fd, type FdLike, UnixDatagram } from 'fdpass';
import { lend } from '#fdpass/fd/lend';
import { identity } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { tmpDir } from '../helpers/tmp-dir';

/** The duplicate must be the thing itself. */
function assertLends(from: FdLike, kind: string, type?: string): void {
  using duplicate = Fd.dup(from);
  assert.equal(identity(duplicate.fd), identity(lend(from)));
  const info = duplicate.describe();
  assert.equal(info.kind, kind);
  assert.equal(info.type, type);
}

test('a listening net.Server lends its listener, on TCP and on a path', async (t) => {
  for (const where of [{ port: 0, host: '127.0.0.1' }, { path: path.join(tmpDir(t), 's') }]) {
    const server = net.createServer().listen(where);
    await once(server, 'listening');
    assertLends(server, 'socket', 'stream');
    server.close();
    await once(server, 'close');
    assert.throws(() => lend(server), {
      code: 'ERR_FDPASS_CLOSED',
      message: /Server has no open descriptor/,
    });
  }
});

test('a connected net.Socket lends its connection until it is destroyed', async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  t.after(() => server.close());
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[net.Socket]>;
  const socket = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  await once(socket, 'connect');
  assertLends(socket, 'socket', 'stream');
  socket.destroy();
  assert.throws(() => lend(socket), { code: 'ERR_FDPASS_CLOSED' });
  (await accepted)[0].destroy();
});

test('a bound dgram.Socket lends its socket until it is closed', async () => {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  await once(socket, 'listening');
  assertLends(socket, 'socket', 'dgram');
  socket.close();
  await once(socket, 'close');
  assert.throws(() => lend(socket), { code: 'ERR_FDPASS_CLOSED' });
});

test('a FileHandle, a ReadStream and a WriteStream lend their file', async (t) => {
  const file = path.join(tmpDir(t), 'f');
  fs.writeFileSync(file, 'x');
  const handle = await fs.promises.open(file);
  assertLends(handle, 'file');
  await handle.close();
  assert.throws(() => lend(handle), { code: 'ERR_FDPASS_CLOSED' });
  const reading = fs.createReadStream(file);
  await once(reading, 'open');
  assertLends(reading as unknown as FdLike, 'file');
  reading.destroy();
  await once(reading, 'close');
  const writing = fs.createWriteStream(file);
  await once(writing, 'open');
  assertLends(writing as unknown as FdLike, 'file');
  writing.destroy();
  await once(writing, 'close');
});

test('a stream that has not been opened yet has nothing to lend', async (t) => {
  const file = path.join(tmpDir(t), 'f');
  fs.writeFileSync(file, 'x');
  const reading = fs.createReadStream(file);
  assert.throws(() => lend(reading as unknown as FdLike), { code: 'ERR_INVALID_ARG_TYPE' });
  await once(reading, 'open');
  reading.destroy();
  await once(reading, 'close');
});

test('a number, an Fd and a socket of this package lend themselves', (t) => {
  assert.equal(lend(0), 0);
  using fd = Fd.dup(0);
  assert.equal(lend(fd), fd.fd);
  const socket = new UnixDatagram();
  closeAfter(t, socket);
  assertLends(socket, 'socket', 'dgram');
});

test('a closed socket of this package lends nothing', async () => {
  const socket = new UnixDatagram();
  await socket.close();
  assert.throws(() => lend(socket), { code: 'ERR_FDPASS_CLOSED', message: /this UnixDatagram has no open/ });
});

test('a server before listen() and a socket before connect() lend nothing', () => {
  assert.throws(() => lend(net.createServer()), { code: 'ERR_FDPASS_CLOSED', message: /not yet listening/ });
  assert.throws(() => lend(new net.Socket()), { code: 'ERR_FDPASS_CLOSED' });
});

test('a number that cannot be a descriptor is refused, also inside an object', () => {
  for (const number of [1.5, Number.NaN, 2 ** 31, 2 ** 40]) {
    assert.throws(() => lend(number), { code: 'ERR_OUT_OF_RANGE' });
    assert.throws(() => lend({ fd: number }), { code: 'ERR_OUT_OF_RANGE' });
  }
  assert.throws(() => lend(-1), { code: 'ERR_OUT_OF_RANGE' });
  assert.throws(() => lend({ fd: -1 }), { code: 'ERR_FDPASS_CLOSED' });
});

test('what has no descriptor is refused with the list of what has one', () => {
  for (const from of ['3', null, undefined, {}, [], { fd: '3' }, { fd: null }, () => 3]) {
    assert.throws(() => lend(from as unknown as FdLike), {
      name: 'TypeError',
      code: 'ERR_INVALID_ARG_TYPE',
      message:
        /must be an Fd, a net\.Server, a net\.Socket, a dgram\.Socket, a FileHandle or an open descriptor number; it is /,
    });
  }
});
