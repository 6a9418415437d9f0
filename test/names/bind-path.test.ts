// Binding to a path: modes, leftovers, and removing only what is ours. The same for datagram and seqpacket.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import {
  type BindOptions,
  Fd,
  type FdpassError,
  UnixAddress,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
} from 'fdpass';
import { SOCK_DGRAM, SOCK_SEQPACKET } from '#fdpass/fd/describe';
import { bindUnix } from '#fdpass/names/bind-path';
import { PathLock } from '#fdpass/names/path-lock';
import { birthMode, SocketFile } from '#fdpass/names/socket-file';
import { binding } from '#fdpass/native/binding';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { settledFdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { isRoot } from '../helpers/nobody';
import { failureOf, systemFields } from '../helpers/outcome';
import { tmpDir } from '../helpers/tmp-dir';

interface Bound {
  close(): Promise<void>;
}

const binders: [
  string,
  (at: string | Buffer, options?: BindOptions) => Bound,
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
      message: `bind EADDRINUSE ${at} (a leftover that no process serves; replaceStale: true replaces it)`,
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
      using lock = PathLock.tryTake(Buffer.from(at));
      assert.ok(lock);
      const error = await failureOf(() => bind(at, { replaceStale: true }));
      assert.equal(error.code, 'EADDRINUSE');
      assert.match(
        error.message,
        /another process is deciding about this name: it has locked .*\/s\.lock\)$/,
      );
    }
    closeAfter(t, bind(at, { replaceStale: true }));
  });

  test(`${type}: of many processes that replace one leftover, one wins`, async (t) => {
    const folder = tmpDir(t);
    const at = path.join(folder, 's');
    for (let round = 0; round < 3; round++) {
      await bind(at, { unlinkOnClose: false }).close();
      const children = Array.from({ length: 6 }, () =>
        startFixture(t, 'bind-name', [type, at, '{"replaceStale":true}']),
      );
      const lines = (await Promise.all(children.map((child) => child.line()))).sort();
      assert.equal(lines.pop(), 'bound');
      for (const line of lines)
        assert.match(line, /^bind EADDRINUSE .*(held by pid \d+: .*bind-name|is deciding)/);
      await connect(at).close();
      for (const child of children) child.process.stdin?.end();
      for (const child of children) assert.equal((await child.ended).code, 0);
      assert.deepEqual(readdirSync(folder), []);
    }
  });

  test(`${type}: the lock keeps the bytes of a path that is no text`, async (t) => {
    const folder = tmpDir(t);
    const at = Buffer.concat([Buffer.from(`${folder}/`), Buffer.from([0xff, 0x41])]);
    await bind(at, { unlinkOnClose: false }).close();
    {
      using lock = PathLock.tryTake(at);
      assert.ok(lock);
      const names = readdirSync(Buffer.from(folder), { encoding: 'buffer' });
      assert.deepEqual(names.sort(Buffer.compare), [
        Buffer.from([0xff, 0x41]),
        Buffer.concat([Buffer.from([0xff, 0x41]), Buffer.from('.lock')]),
      ]);
      assert.equal((await failureOf(() => bind(at, { replaceStale: true }))).code, 'EADDRINUSE');
    }
    await bind(at, { replaceStale: true }).close();
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${type}: an owner is given the file with its mode`, { skip: !isRoot && 'needs root' }, (t) => {
    for (const [options, uid, gid, mode] of [
      [{ owner: { uid: 65_534, gid: 65_533 }, mode: 0o660 }, 65_534, 65_533, 0o660],
      [{ owner: { gid: 65_533 } }, 0, 65_533, 0o750],
      [{ owner: { uid: 65_534 } }, 65_534, 0, 0o750],
      [{ owner: {}, mode: 0o777 }, 0, 0, 0o777],
    ] as const) {
      const at = path.join(tmpDir(t), 's');
      const before = process.umask(0o027);
      closeAfter(t, bind(at, options));
      process.umask(before);
      const status = statSync(at);
      assert.deepEqual([status.uid, status.gid, status.mode & 0o777], [uid, gid, mode]);
    }
  });

  test(`${type}: an owner that is none, or has nothing to own, is refused and no file is made`, async (t) => {
    const folder = tmpDir(t);
    const at = path.join(folder, 's');
    for (const [address, owner, code] of [
      [at, { uid: -1 }, 'ERR_OUT_OF_RANGE'],
      [at, { gid: 2 ** 32 - 1 }, 'ERR_OUT_OF_RANGE'],
      [at, { uid: '0' as unknown as number }, 'ERR_INVALID_ARG_TYPE'],
      [at, null as unknown as object, 'ERR_INVALID_ARG_TYPE'],
      [`@${freshName()}`, { uid: 0 }, 'ERR_OUT_OF_RANGE'],
    ] as const) {
      assert.equal((await failureOf(() => bind(address, { owner }))).code, code);
    }
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${type}: who may not give the file away keeps none`, { skip: !isRoot && 'needs root' }, async (t) => {
    const folder = tmpDir(t);
    chmodSync(folder, 0o777);
    for (const options of [
      { owner: { uid: 0 } },
      { owner: { uid: 0 }, replaceStale: true },
      ...(type === 'dgram' ? [] : [{ owner: { uid: 0 }, replace: true }]),
    ]) {
      const at = path.join(folder, 's');
      const child = startFixture(t, 'bind-name', [type, at, JSON.stringify(options), 'nobody']);
      assert.equal(await child.line(), `chown EPERM ${at}`);
      assert.deepEqual(readdirSync(folder), []);
      child.process.stdin?.end();
      await child.ended;
    }
  });

  test(`${type}: without privileges mode and group hold as well`, {
    skip: !isRoot && 'needs root',
  }, async (t) => {
    const folder = tmpDir(t);
    chmodSync(folder, 0o777);
    const at = path.join(folder, 's');
    const options = JSON.stringify({ mode: 0o666, owner: { gid: 65_534 } });
    const child = startFixture(t, 'bind-name', [type, at, options, 'nobody']);
    assert.equal(await child.line(), 'bound');
    const { uid, gid, mode } = statSync(at);
    assert.deepEqual([uid, gid, mode & 0o777], [65_534, 65_534, 0o666]);
    child.process.stdin?.end();
    assert.equal((await child.ended).code, 0);
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${type}: a mode that was asked for in vain is not the next one's`, async (t) => {
    const folder = tmpDir(t);
    writeFileSync(path.join(folder, 'taken'), '');
    const fd = Fd.own(binding.openSocket(type === 'dgram' ? SOCK_DGRAM : SOCK_SEQPACKET));
    t.after(() => fd.close());
    const socket = { fd: fd.fd, type: type === 'dgram' ? SOCK_DGRAM : SOCK_SEQPACKET };
    const taken = UnixAddress.path(path.join(folder, 'taken'));
    await failureOf(() => bindUnix(socket, taken, { mode: 0o600 }));
    const before = process.umask(0o022);
    bindUnix(socket, UnixAddress.path(path.join(folder, 's')), {});
    process.umask(before);
    assert.equal(statSync(path.join(folder, 's')).mode & 0o777, 0o755);
  });

  test(`${type}: a file that is no longer reached by its relative name is still removed`, async (t) => {
    const folder = tmpDir(t);
    const before = process.cwd();
    process.chdir(folder);
    t.after(() => process.chdir(before));
    const socket = bind('./s');
    process.chdir('/');
    await socket.close();
    assert.deepEqual(readdirSync(folder), []);
  });

  test(`${type}: a symbolic link that leads to our moved file is not ours to remove`, async (t) => {
    const folder = tmpDir(t);
    const at = path.join(folder, 's');
    const socket = bind(at);
    renameSync(at, `${at}.moved`);
    symlinkSync('s.moved', at);
    await socket.close();
    assert.deepEqual(readdirSync(folder).sort(), ['s', 's.moved']);
  });

  test(`${type}: close leaves the file while somebody else decides about it, and says so`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    const socket = bind(at);
    using lock = PathLock.tryTake(Buffer.from(at));
    assert.ok(lock);
    const warned = once(process, 'warning');
    await socket.close();
    const [warning] = (await warned) as [FdpassError];
    assert.equal(warning.code, 'ERR_FDPASS_UNLINK');
    assert.equal((warning.cause as FdpassError).code, 'ERR_FDPASS_LOCKED');
    assert.ok(existsSync(at));
  });

  test(`${type}: a folder that is missing or is none is told with the address`, async (t) => {
    const folder = tmpDir(t);
    const before = await settledFdCount();
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
    const socket = bind(at, { replaceStale: true, mode: 0o600 });
    assert.deepEqual(readdirSync(Buffer.from(folder), { encoding: 'buffer' }), [name]);
    await socket.close();
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('close leaves a file that it may not remove, without failing', {
  skip: !isRoot && 'needs root',
}, async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o755);
  const ended = await startFixture(t, 'close-as-nobody', [path.join(folder, 's')]).ended;
  assert.equal(ended.code, 0);
  assert.match(ended.stderr, /s could not be removed/);
  assert.deepEqual(readdirSync(folder), ['s']);
});

test('a socket of another user is bound, but a datagram one not to a mode', {
  skip: !isRoot && 'needs root',
}, async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o777);
  const at = path.join(folder, 's');
  for (const [options, line] of [
    ['{}', 'bound'],
    ['{"mode":384}', `fchmod EPERM ${at}`],
  ] as const) {
    const child = startFixture(t, 'bind-name', ['dgram', at, options, 'dropped']);
    assert.equal(await child.line(), line);
    child.process.stdin?.end();
    assert.equal((await child.ended).code, 0);
    assert.deepEqual(readdirSync(folder), []);
  }
});

test('a bind whose listen fails leaves no file', async (t) => {
  const folder = tmpDir(t);
  using fd = Fd.own(binding.openSocket(SOCK_DGRAM));
  const at = path.join(folder, 's');
  const socket = { fd: fd.fd, type: SOCK_DGRAM, backlog: 1 };
  const error = await failureOf(() => bindUnix(socket, UnixAddress.path(at), {}));
  assert.equal(error.message, `listen ENOTSUP ${at}`);
  assert.deepEqual(readdirSync(folder), []);
});

test('a failed bind that cannot take its file away tells why it failed', async (t) => {
  const at = path.join(tmpDir(t), 's');
  using lock = PathLock.tryTake(Buffer.from(at));
  assert.ok(lock);
  using fd = Fd.own(binding.openSocket(SOCK_DGRAM));
  const socket = { fd: fd.fd, type: SOCK_DGRAM, backlog: 1 };
  const error = await failureOf(() => bindUnix(socket, UnixAddress.path(at), {}));
  assert.equal(error.message, `listen ENOTSUP ${at}`);
});

test('a full queue, a stranger without permission and another type do not make a leftover', async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o777);
  const at = path.join(folder, 's');
  using fd = Fd.own(binding.openSocket(SOCK_SEQPACKET));
  const address = UnixAddress.path(at);
  const name = bindUnix({ fd: fd.fd, type: SOCK_SEQPACKET, backlog: 0 }, address, { mode: 0o600 });
  using queued = Fd.own(binding.openSocket(SOCK_SEQPACKET));
  binding.connect(queued.fd, address.sunPath);
  const { ino } = statSync(at);
  for (const [type, user] of [
    ['seqpacket', 'root'],
    ['dgram', 'root'],
    ...(isRoot ? [['seqpacket', 'nobody']] : []),
  ] as const) {
    const child = startFixture(t, 'bind-name', [type as string, at, '{"replaceStale":true}', user as string]);
    assert.match(await child.line(), /^bind EADDRINUSE /);
    child.process.stdin?.end();
    await child.ended;
    assert.equal(statSync(at).ino, ino);
  }
  name.unlink();
  assert.deepEqual(readdirSync(folder), []);
});

test('a datagram socket that is to be given away is nobody to write to until it is', () => {
  assert.equal(birthMode({ mode: 0o666, owner: { uid: 1, gid: -1 } }), 0);
  assert.equal(birthMode({ mode: undefined, owner: { uid: -1, gid: 1 } }), 0);
  assert.equal(birthMode({ mode: 0o640, owner: undefined }), 0o640);
});

test('owner and mode are not given to what was put in the place of the file', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  closeAfter(t, new UnixDatagram().bind(at, { mode: 0o600 }));
  const file = SocketFile.at(Buffer.from(at));
  assert.ok(file);
  renameSync(at, `${at}.moved`);
  writeFileSync(path.join(folder, 'precious'), '', { mode: 0o600 });
  symlinkSync('precious', at);
  const access = { mode: 0o666, owner: { uid: 65_534, gid: 65_534 } };
  assert.equal((await failureOf(() => file.setAccess(access))).code, 'ENOENT');
  file.remove();
  const { uid, mode } = statSync(path.join(folder, 'precious'));
  assert.deepEqual([uid, mode & 0o777], [process.getuid?.(), 0o600]);
  assert.deepEqual(readdirSync(folder).sort(), ['precious', 's', 's.moved']);
});
