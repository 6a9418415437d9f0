// Interoperation with bare sendmsg(2) and recvmsg(2) of a C program, and what only such a program can do.
import assert from 'node:assert/strict';
import path from 'node:path';
import test, { after } from 'node:test';
import { UnixAddress, UnixDatagram } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { compilePeer, hex } from '../helpers/foreign-peer';
import { testInterop } from '../helpers/interop-table';
import { closeAfter } from '../helpers/link';
import { failureOf } from '../helpers/outcome';
import { tmpDir } from '../helpers/tmp-dir';

const startC = compilePeer(tmpDir({ after }));

// CMSG_LEN(fds * sizeof(int)); for none there is no buffer at all.
testInterop('C', startC, (fds) => (fds === 0 ? 0 : 16 + 4 * fds));

test('a peer on a path of 108 bytes is shown, and answering it is an error and not the end of the process', async (t) => {
  const socket = new UnixDatagram().bind(`@${freshName()}`);
  closeAfter(t, socket);
  const folder = tmpDir(t);
  const long = Buffer.from(path.join(folder, 'x'.repeat(108 - folder.length - 1)));
  const child = startC(t, 'echo', long.toString('hex'), hex(socket.address()));
  const { from } = await socket.receive();
  assert.ok(from.bytes.equals(long));
  assert.equal(from.toString(), long.toString());
  assert.ok(from.equals(from));
  for (const answer of [
    () => socket.send('x', from),
    () => socket.trySend('x', from),
    () => socket.sendMany(['x'], from),
    () => socket.connect(from),
    () => socket.bind(from),
    () => UnixAddress.from(from),
  ]) {
    const error = await failureOf(async () => answer());
    assert.equal(error.code, 'ERR_OUT_OF_RANGE');
    assert.match(error.message, /at most 107 bytes/);
  }
  child.process.kill();
  await child.ended;
});
