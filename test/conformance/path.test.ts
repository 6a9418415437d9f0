// Section path of cases.md: names that are files: lengths, bytes, leftovers, replacing, links.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  closeSync,
  constants,
  existsSync,
  linkSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import {
  type AddressLike,
  connectUnix,
  listenUnix,
  UnixAddress,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixServer,
  UnixStream,
} from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { freshName } from '../helpers/address-name';
import { tmpDir } from '../helpers/tmp-dir';
import { isRoot } from './needs';
import { codeOf, fails, rejects } from './outcome';
import { python } from './peers';
import { freshPath, rawBound, rawListener, rawOpen, types } from './raw';
import { type Row, row } from './row';

/** A path of exactly that many bytes, in a folder of its own. */
function pathOfLength(t: Row, length: number): string {
  const folder = `${tmpDir(t)}/`;
  return folder + 'x'.repeat(length - folder.length);
}

row('PA-03', 'RawSocket UnixDatagram UnixSeqpacketServer UnixServer', (t) => {
  const stale = freshPath(t);
  rawBound(t, 'stream', stale).close();
  const regular = freshPath(t);
  writeFileSync(regular, 'content');
  fails('EADDRINUSE', () => rawOpen(t, 'stream').bind(stale));
  fails('ECONNREFUSED', () => rawOpen(t, 'stream').connect(stale));
  fails('EADDRINUSE', () => rawOpen(t, 'stream').bind(regular));
  for (const options of [{}, { replaceStale: true }]) {
    fails('EADDRINUSE', () => t.keep(new UnixDatagram()).bind(regular, options));
    for (const Class of [UnixSeqpacketServer, UnixServer]) {
      fails('EADDRINUSE', () => t.keep(new Class()).listen(regular, options));
    }
  }
  assert.equal(readFileSync(regular, 'utf8'), 'content');
});

row('PA-05', 'RawSocket UnixDatagram', (t) => {
  const folder = tmpDir(t);
  const cases: [where: string, code: string][] = [
    [path.join(folder, 'missing', 's'), 'ENOENT'],
    [path.join(folder, 'file', 's'), 'ENOTDIR'],
  ];
  writeFileSync(path.join(folder, 'file'), '');
  mkdirSync(path.join(folder, 'closed'), 0o555);
  if (isRoot) t.note('as root: no folder is closed to it');
  else cases.push([path.join(folder, 'closed', 's'), 'EACCES']);
  for (const [where, code] of cases) {
    for (const type of types) fails(code, () => rawOpen(t, type).bind(where));
    fails(code, () => t.keep(new UnixDatagram()).bind(where));
  }
});

/** Binds exactly the bytes that it is given, with or without a NUL at the end, and lends us the socket. */
const BIND_EXACTLY = `
    where = bytes.fromhex(arguments[1])
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    image = struct.pack('H', socket.AF_UNIX) + where
    if ctypes.CDLL(None, use_errno=True).bind(bound.fileno(), image, len(image)) != 0:
        say(errno.errorcode[ctypes.get_errno()]); sys.exit()
    # the length that the kernel tells, whatever room there is
    room, length = ctypes.create_string_buffer(200), ctypes.c_int(200)
    ctypes.CDLL(None).getsockname(bound.fileno(), room, ctypes.byref(length))
    say(length.value)
    to = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    to.connect(name(arguments[0]))
    socket.send_fds(to, [b'lent'], [bound.fileno()])
    bound.sendto(b'from there', name(arguments[0]))
    hear()
    `;

/** @returns the length that getsockname(2) gave there, and the socket */
async function boundExactly(
  t: Row,
  sunPath: Buffer,
): Promise<{ length: number; socket: RawSocket; from: UnixAddress }> {
  const inbox = t.keep(new UnixDatagram({ maxFds: 1 }).bind(`@${freshName()}`));
  const args = [inbox.address().toString(), sunPath.toString('hex')];
  const child = python(t, BIND_EXACTLY, { args });
  const length = Number(await child.line());
  const [fd] = (await inbox.receive()).fds;
  assert.ok(fd !== undefined);
  const { from } = await inbox.receive();
  return { length, socket: t.keep(RawSocket.adopt(fd)), from };
}

row('PA-06', 'RawSocket UnixDatagram', async (t) => {
  const longest = pathOfLength(t, 107);
  const own = t.keep(new UnixDatagram().bind(longest));
  assert.equal(own.address().toString(), longest);
  const sender = t.keep(new UnixDatagram());
  await sender.send('x', longest);
  assert.equal((await own.receive()).data.toString(), 'x');

  const whole = pathOfLength(t, 108);
  const { length, socket, from } = await boundExactly(t, Buffer.from(whole));
  assert.equal(length, 111);
  assert.equal(socket.address().toString(), whole);
  assert.equal(from.toString(), whole);
});

row(
  'PA-07',
  'UnixDatagram UnixSeqpacket UnixSeqpacketServer UnixServer UnixStream RawSocket listenUnix connectUnix',
  async (t) => {
    for (const length of [108, 150, 65535]) {
      const folder = tmpDir(t);
      const long = path.join(folder, 'x'.repeat(length - folder.length - 1));
      const dgram = t.keep(new UnixDatagram());
      const calls: (() => unknown)[] = [
        () => dgram.bind(long),
        () => dgram.connect(long),
        () => dgram.trySend('x', long),
        () => t.keep(new UnixSeqpacket()).connect(long),
        () => t.keep(new UnixSeqpacketServer()).listen(long),
        () => t.keep(new UnixServer()).listen(long),
        () => UnixStream.connect(long),
        () => connectUnix(long),
        () => rawOpen(t, 'stream').bind(long),
        () => UnixAddress.path(long),
      ];
      for (const call of calls) fails('ERR_OUT_OF_RANGE', call);
      await rejects('ERR_OUT_OF_RANGE', dgram.send('x', long));
      await rejects('ERR_OUT_OF_RANGE', listenUnix(net.createServer(), long));
      assert.deepEqual(readdirSync(folder), []);
    }
  },
);

row('PA-08', 'UnixDatagram UnixServer UnixStream RawSocket', (t) => {
  const folder = tmpDir(t);
  const cut = `${folder}/bad\0path`;
  for (const address of [cut, Buffer.from(cut)]) {
    fails('ERR_OUT_OF_RANGE', () => t.keep(new UnixDatagram()).bind(address));
    fails('ERR_OUT_OF_RANGE', () => t.keep(new UnixServer()).listen(address));
    fails('ERR_OUT_OF_RANGE', () => UnixStream.connect(address));
    fails('ERR_OUT_OF_RANGE', () => rawOpen(t, 'dgram').bind(address));
  }
  assert.deepEqual(readdirSync(folder), []);
});

row('PA-09', 'RawSocket', async (t) => {
  for (const end of ['', '\0']) {
    const file = freshPath(t);
    const { length, socket, from } = await boundExactly(t, Buffer.from(file + end));
    assert.equal(length, 2 + file.length + 1);
    assert.deepEqual(socket.address().bytes, Buffer.from(file));
    assert.deepEqual(from.bytes, Buffer.from(file));
  }
});

row('PA-10', 'UnixDatagram UnixServer', async (t) => {
  const folder = Buffer.from(`${tmpDir(t)}/`);
  for (const name of [Buffer.from([0xff, 0xfe, 0x80, 0x41]), Buffer.from('żółw-🐢')]) {
    const file = Buffer.concat([folder, name]);
    const receiver = t.keep(new UnixDatagram().bind(file));
    assert.deepEqual(receiver.address().bytes, file);
    assert.ok(statSync(file).isSocket());
    const sender = t.keep(new UnixDatagram().bind(Buffer.concat([file, Buffer.from('2')])));
    await sender.send('x', file);
    assert.deepEqual((await receiver.receive()).from.bytes, sender.address().bytes);
    await receiver.close();
    assert.ok(!existsSync(file), 'the file with these bytes is removed');
  }
  const server = t.keep(new UnixServer());
  server.listen(Buffer.concat([folder, Buffer.from([0xc3, 0x28])]));
  assert.equal(server.address().bytes.at(-2), 0xc3);
});

row('PA-13', 'RawSocket UnixSeqpacket', (t) => {
  const folder = tmpDir(t);
  const file = path.join(folder, 's');
  const listener = rawListener(t, 'seqpacket', file);
  symlinkSync(file, path.join(folder, 'symbolic'));
  linkSync(file, path.join(folder, 'hard'));
  for (const way of [path.join(folder, 'symbolic'), path.join(folder, 'hard'), `/${folder}//s`]) {
    const client = t.keep(new UnixSeqpacket().connect(way));
    assert.equal(client.remoteAddress().toString(), file);
    t.keep(listener.accept());
  }
  symlinkSync(path.join(folder, 'nowhere'), path.join(folder, 'dangling'));
  fails('EADDRINUSE', () => rawOpen(t, 'stream').bind(path.join(folder, 'dangling')));
});

row('PA-15', 'UnixSeqpacketServer UnixSeqpacket', async (t) => {
  const file = freshPath(t);
  const first = t.keep(new UnixSeqpacketServer().listen(file));
  const oldClient = t.keep(new UnixSeqpacket().connect(file));
  const [old] = (await once(first, 'connection')) as [UnixSeqpacket];
  t.keep(old);
  first.on('connection', () => assert.fail('the name leads to the second'));
  rmSync(file);
  const second = t.keep(new UnixSeqpacketServer().listen(file));
  t.keep(new UnixSeqpacket().connect(file));
  t.keep(((await once(second, 'connection')) as [UnixSeqpacket])[0]);
  await oldClient.send('lives');
  assert.equal((await old.receive())?.data.toString(), 'lives');
  await first.close();
  assert.ok(existsSync(file), 'the file is the second server’s');
  await second.close();
  assert.ok(!existsSync(file));
});

row('PA-16', 'RawSocket UnixServer', async (t) => {
  const file = freshPath(t);
  let listener = rawListener(t, 'stream', file, 4096);
  await underConnects(
    t,
    file,
    () => {
      const next = rawListener(t, 'stream', `${file}.new`, 4096);
      renameSync(`${file}.new`, file);
      acceptAll(listener); // the last connections of the old one
      listener.close();
      listener = next;
    },
    () => acceptAll(listener),
  );

  const open = (): UnixServer =>
    t
      .keep(new UnixServer())
      .on('connection', (connection: UnixStream) => connection.destroy())
      .listen(file, { replace: true });
  let server = open();
  await underConnects(t, file, async () => {
    const next = open();
    await server.close();
    server = next;
  });
});

/** Replaces the listener 100 times while a process connects without end. Every connect has to succeed. */
async function underConnects(
  t: Row,
  file: string,
  replace: () => void | Promise<void>,
  accept = (): void => {},
): Promise<void> {
  const child = python(
    t,
    `
    waiting = select.poll()
    waiting.register(0, select.POLLIN)
    connected, failed = 0, 0
    while not waiting.poll(0):
        client = socket.socket(socket.AF_UNIX)
        if tried(client.connect, arguments[0]) == 'success': connected += 1
        else: failed += 1
        client.close()
        if connected % 20 == 0: say('more')
    say('result', connected, failed)
    `,
    { args: [file] },
  );
  const next = async (): Promise<string> => {
    let said: string | undefined;
    const line = child.line().then((text) => {
      said = text;
    });
    while (said === undefined) {
      accept();
      await Promise.race([line, new Promise((resolve) => setImmediate(resolve))]);
    }
    return said;
  };
  await next();
  for (let i = 0; i < 100; i++) {
    await replace();
    if (i % 10 === 0) await next(); // so that there are connects in between
  }
  child.write('stop\n');
  let line = '';
  while (!line.startsWith('result')) line = await next();
  const [, connected, failed] = line.split(' ').map(Number);
  assert.equal(failed, 0);
  assert.ok((connected ?? 0) >= 100, line);
}

function acceptAll(listener: RawSocket): void {
  while (codeOf(() => listener.accept().close()) === 'success');
}

row('PA-19', 'RawSocket UnixDatagram', (t) => {
  const taken = freshPath(t);
  const first = rawBound(t, 'dgram', taken);
  fails('EINVAL', () => first.bind(freshPath(t)));
  const second = t.keep(new UnixDatagram());
  fails('EADDRINUSE', () => second.bind(taken));
  const free = freshPath(t);
  second.bind(free);
  assert.equal(second.address().toString(), free);
  fails('EINVAL', () => second.bind(freshPath(t)));
});

row('PA-20', 'UnixSeqpacketServer UnixServer UnixDatagram', async (t) => {
  const open: ((file: AddressLike) => { close(): Promise<void> | unknown })[] = [
    (file) => new UnixSeqpacketServer().listen(file),
    (file) => new UnixServer().listen(file),
    (file) => new UnixDatagram().bind(file),
  ];
  for (const make of open) {
    for (let i = 0; i < 20; i++) {
      const file = freshPath(t);
      const old = t.keep(make(file));
      rmSync(file);
      const next = t.keep(make(file));
      const inode = statSync(file).ino;
      await old.close();
      assert.equal(statSync(file).ino, inode, 'the file of the new server survives');
      await next.close();
      assert.ok(!existsSync(file));
    }
  }
});

row('PA-23', 'RawSocket UnixSeqpacketServer UnixSeqpacket', async (t) => {
  const deep = path.join(tmpDir(t), 'd'.repeat(120));
  mkdirSync(deep);
  const folder = openSync(deep, constants.O_RDONLY | constants.O_DIRECTORY);
  t.after(() => closeSync(folder));
  const server = t.keep(new UnixSeqpacketServer().listen(`/proc/self/fd/${folder}/s`));
  assert.ok(statSync(path.join(deep, 's')).isSocket());
  const client = t.keep(new UnixSeqpacket().connect(`/proc/${process.pid}/fd/${folder}/s`));
  const [connection] = (await once(server, 'connection')) as [UnixSeqpacket];
  t.keep(connection);
  assert.equal(client.remoteAddress().toString(), `/proc/self/fd/${folder}/s`);
  await server.close();
  assert.deepEqual(readdirSync(deep), []);
});
