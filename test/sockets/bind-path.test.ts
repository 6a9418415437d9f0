// Binding to a path: modes, leftovers, and removing only what is ours. The same for datagram and seqpacket.
import assert from 'node:assert/strict';
import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type BindOptions, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { PathLock } from '#fdpass/sockets/path-lock';
import { startFixture } from '../helpers/child';
import { fdCount, settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { failureOf, systemFields } from '../helpers/outcome';
import { tmpDir } from '../helpers/tmp-dir';

interface Bound {
  close(): Promise<void>;
}

const binders: [
  string,
  (at: string, options?: BindOptions) => Bound,
  (at: string) => { close(): Promise<void> },
][] = [
  [
    'dgram',
    (at, options) => {
      const socket = new UnixDatagram();
      try {
        return socket.bind(at, options);
      } catch (error) {
        void socket.close();
        throw error;
      }
    },
    (at) => new UnixDatagram().connect(at),
  ],
  [
    'seqpacket',
    (at, options) =>
      new UnixSeqpacketServer()
        .on('connection', (connection: UnixSeqpacket) => void connection.close())
        .listen(at, options),
    (at) => new UnixSeqpacket().connect(at),
  ],
];

for (const [type, bind, connect] of binders) {
  test(`${type}: the mode holds against the umask, wide and narrow`, async (t) => {
    for (const [umask, mode] of [
      [0o077, 0o666],
      [0o000, 0o600],
    ] as const) {
      const at = path.join(tmpDir(t), 's');
      const before = process.umask(umask);
      const socket = bind(at, { mode });
      process.umask(before);
      closeAfter(t, socket);
      assert.equal(statSync(at).mode & 0o777, mode);
    }
  });

  test(`${type}: without a mode the umask decides`, (t) => {
    const at = path.join(tmpDir(t), 's');
    const before = process.umask(0o027);
    closeAfter(t, bind(at));
    process.umask(before);
    assert.equal(statSync(at).mode & 0o777, 0o750);
  });

  test(`${type}: a mode that is none is refused and no file is made`, async (t) => {
    const folder = tmpDir(t);
    const before = await settledFdCount();
    for (const mode of [-1, 0o1000, 1.5]) {
      assert.equal((await failureOf(() => bind(path.join(folder, 's'), { mode }))).code, 'ERR_OUT_OF_RANGE');
    }
    assert.deepEqual(readdirSync(folder), []);
    assert.equal(await settledFdCount(), before);
  });

  test(`${type}: close removes the file, unless it is to stay`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    await bind(at).close();
    assert.equal(existsSync(at), false);
    await bind(at, { unlinkOnClose: false }).close();
    assert.ok(existsSync(at));
  });

  test(`${type}: close leaves a file alone that took the name over`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    const first = bind(at);
    unlinkSync(at);
    const second = bind(at);
    await first.close();
    assert.ok(existsSync(at));
    closeAfter(t, connect(at));
    renameSync(at, `${at}.moved`);
    writeFileSync(at, 'a file');
    await second.close();
    assert.equal(readFileSync(at, 'utf8'), 'a file');
  });

  test(`${type}: close is content when the file is gone`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    const socket = bind(at);
    unlinkSync(at);
    await socket.close();
  });

  test(`${type}: a leftover is EADDRINUSE by default, and gives way on request`, async (t) => {
    const folder = tmpDir(t);
    const at = path.join(folder, 's');
    await bind(at, { unlinkOnClose: false }).close();
    const error = await failureOf(() => bind(at));
    assert.deepEqual(systemFields(error), {
      code: 'EADDRINUSE',
      errno: -98,
      syscall: 'bind',
      address: at,
      message: `bind EADDRINUSE ${at}`,
    });
    const socket = bind(at, { replaceStale: true });
    closeAfter(t, socket, connect(at));
    assert.deepEqual(readdirSync(folder), ['s'], 'the lock is gone');
    await socket.close();
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${type}: a live socket never gives way`, async (t) => {
    const folder = tmpDir(t);
    const at = path.join(folder, 's');
    closeAfter(t, bind(at));
    const { ino } = statSync(at);
    const before = await settledFdCount();
    const error = await failureOf(() => bind(at, { replaceStale: true }));
    assert.equal(error.code, 'EADDRINUSE');
    assert.equal(error.address, at);
    assert.equal(statSync(at).ino, ino);
    closeAfter(t, connect(at));
    assert.deepEqual(readdirSync(folder), ['s']);
    assert.ok((await settledFdCount()) - before <= 2, 'only the connection that was just made');
  });

  test(`${type}: a file that is no socket is refused and untouched`, async (t) => {
    const folder = tmpDir(t);
    const at = path.join(folder, 's');
    writeFileSync(at, 'precious');
    for (const replaceStale of [false, true]) {
      assert.equal((await failureOf(() => bind(at, { replaceStale }))).code, 'EADDRINUSE');
      assert.equal(readFileSync(at, 'utf8'), 'precious');
    }
    assert.deepEqual(readdirSync(folder), ['s']);
  });

  test(`${type}: while somebody else decides about a leftover it is in use`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    await bind(at, { unlinkOnClose: false }).close();
    {
      using lock = PathLock.tryTake(`${at}.lock`);
      assert.ok(lock);
      assert.equal((await failureOf(() => bind(at, { replaceStale: true }))).code, 'EADDRINUSE');
    }
    closeAfter(t, bind(at, { replaceStale: true }));
  });

  test(`${type}: of two processes that replace one leftover, one wins`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    for (let round = 0; round < 5; round++) {
      await bind(at, { unlinkOnClose: false }).close();
      const children = [1, 2].map(() => startFixture(t, 'replace-stale', [type, at]));
      const lines = await Promise.all(children.map((child) => child.line()));
      assert.deepEqual(lines.sort(), ['EADDRINUSE', 'bound']);
      await connect(at).close();
      for (const child of children) child.process.stdin?.end();
      for (const child of children) assert.equal((await child.ended).code, 0);
      assert.equal(existsSync(at), false);
    }
  });

  test(`${type}: a folder that is missing or is none is told with the address`, async (t) => {
    const folder = tmpDir(t);
    const before = fdCount();
    writeFileSync(path.join(folder, 'file'), '');
    for (const [at, code] of [
      [path.join(folder, 'missing', 's'), 'ENOENT'],
      [path.join(folder, 'file', 's'), 'ENOTDIR'],
    ] as const) {
      const error = await failureOf(() => bind(at));
      assert.equal(error.message, `bind ${code} ${at}`);
    }
    assert.equal(await settledFdCount(), before);
  });

  test(`${type}: a path that is no text keeps its bytes`, async (t) => {
    const folder = tmpDir(t);
    const name = Buffer.from([0xff, 0x41, 0xfe]);
    const at = Buffer.concat([Buffer.from(`${folder}/`), name]);
    const socket = bind(at as unknown as string, { replaceStale: true, mode: 0o600 });
    assert.deepEqual(readdirSync(Buffer.from(folder), { encoding: 'buffer' }), [name]);
    await socket.close();
    assert.deepEqual(readdirSync(folder), []);
  });
}
