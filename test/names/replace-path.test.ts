// Taking a path over from whoever serves it: nobody is refused, and nobody loses a file that is not his.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import {
  chmodSync,
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { adoptServer, Fd, UnixAddress, UnixDatagram, UnixSeqpacket, UnixSeqpacketServer } from 'fdpass';
import { SOCK_SEQPACKET, SOCK_STREAM } from '#fdpass/fd/describe';
import { type BoundName, bindUnix } from '#fdpass/names/bind-path';
import { binding } from '#fdpass/native/binding';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { fdCount } from '../helpers/fd-count';
import { closeAfter } from '../helpers/link';
import { isRoot } from '../helpers/nobody';
import { failureOf } from '../helpers/outcome';
import { type Ending, tmpDir } from '../helpers/tmp-dir';

/** Enough for a gap of some microseconds to be hit: with unlink(2) before rename(2) the test fails. */
const TAKEOVERS = 500;

interface Listener {
  fd: Fd;
  name: BoundName;
}

/** A listener that accepts nothing by itself. */
function listen(t: Ending, at: string, type = SOCK_SEQPACKET): Listener {
  const fd = Fd.own(binding.openSocket(type));
  t.after(() => fd.close());
  const name = bindUnix({ fd: fd.fd, type, backlog: 4 }, UnixAddress.path(at), { replace: true });
  return { fd, name };
}

function client(t: Ending, at: string, type = SOCK_SEQPACKET): Fd {
  const fd = Fd.own(binding.openSocket(type));
  t.after(() => fd.close());
  binding.connect(fd.fd, UnixAddress.path(at).sunPath);
  return fd;
}

/** Accepts from here on; resolves when the first client has been accepted. */
async function accepted({ fd }: Listener, type: number): Promise<Server> {
  const server =
    type === SOCK_STREAM
      ? net.createServer()
      : UnixSeqpacketServer.adopt(Fd.dup(fd)).on('error', assert.fail);
  const connected = once(server, 'connection');
  if (server instanceof net.Server) await adoptServer(server, Fd.dup(fd));
  const [connection] = (await connected) as [net.Socket | UnixSeqpacket];
  if (connection instanceof net.Socket) connection.destroy();
  else await connection.close();
  return server;
}

type Server = net.Server | UnixSeqpacketServer;

for (const [title, type] of [
  ['stream', SOCK_STREAM],
  ['seqpacket', SOCK_SEQPACKET],
] as const) {
  test(`${title}: a live server's name is taken over; its waiting clients stay its own`, async (t) => {
    const folder = tmpDir(t);
    const at = path.join(folder, 's');
    const old = listen(t, at, type);
    client(t, at, type);
    const heir = listen(t, at, type);
    client(t, at, type);
    assert.deepEqual(readdirSync(folder), ['s']);
    for (const listener of [old, heir]) (await accepted(listener, type)).close();
    old.name.unlink();
    old.fd.close();
    client(t, at, type);
    heir.name.unlink();
    assert.deepEqual(readdirSync(folder), []);
  });
}

test('the name is the one that is served, though the kernel shows the temporary one', (t) => {
  const at = path.join(tmpDir(t), 's');
  const { fd, name } = listen(t, at);
  assert.equal(name.address.toString(), at);
  assert.match(UnixAddress.fromSunPath(binding.localUnixAddress(fd.fd)).toString(), /\/\.fdp-[0-9a-f]{8}$/);
  const server = new UnixSeqpacketServer().listen(at, { replace: true });
  closeAfter(t, server);
  assert.equal(server.address().toString(), at);
});

test('a free name and a leftover are taken as well', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  await new UnixSeqpacketServer().listen(at, { replace: true, unlinkOnClose: false }).close();
  assert.deepEqual(readdirSync(folder), ['s']);
  await new UnixSeqpacketServer().listen(at, { replace: true, replaceStale: true }).close();
  assert.deepEqual(readdirSync(folder), []);
});

test('mode and owner are those of the new file', { skip: !isRoot && 'needs root' }, (t) => {
  const at = path.join(tmpDir(t), 's');
  closeAfter(t, new UnixSeqpacketServer().listen(at));
  const options = { replace: true, mode: 0o606, owner: { uid: 65_534, gid: 65_534 } };
  closeAfter(t, new UnixSeqpacketServer().listen(at, options));
  const { uid, gid, mode } = statSync(at);
  assert.deepEqual([uid, gid, mode & 0o777], [65_534, 65_534, 0o606]);
});

test('what is no socket is never replaced', async (t) => {
  const folder = tmpDir(t);
  writeFileSync(path.join(folder, 'file'), 'precious');
  mkdirSync(path.join(folder, 'directory'));
  symlinkSync('file', path.join(folder, 'link'));
  closeAfter(t, new UnixSeqpacketServer().listen(path.join(folder, 'socket')));
  symlinkSync('socket', path.join(folder, 'alias'));
  const before = readdirSync(folder);
  for (const [name, kind] of [
    ['file', 'a regular file'],
    ['directory', 'a directory'],
    ['link', 'a symbolic link'],
    ['alias', 'a symbolic link'],
  ] as const) {
    const at = path.join(folder, name);
    const error = await failureOf(() => new UnixSeqpacketServer().listen(at, { replace: true }));
    assert.equal(error.message, `bind EADDRINUSE ${at} (it is ${kind})`);
    assert.deepEqual(readdirSync(folder), before);
  }
  assert.equal(readFileSync(path.join(folder, 'file'), 'utf8'), 'precious');
  assert.ok(lstatSync(path.join(folder, 'alias')).isSymbolicLink());
});

test('where a name cannot be taken over that is said, not forgotten', async (t) => {
  const folder = tmpDir(t);
  const datagram = new UnixDatagram();
  closeAfter(t, datagram);
  for (const [bind, text] of [
    [() => datagram.bind(path.join(folder, 's'), { replace: true }), /does not listen .* use replaceStale/],
    [() => new UnixSeqpacketServer().listen(`@${freshName()}`, { replace: true }), /only a path/],
  ] as const) {
    const error = await failureOf(bind);
    assert.equal(error.code, 'ERR_OUT_OF_RANGE');
    assert.match(error.message, text);
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('a directory that leaves no room for the temporary name is refused', async (t) => {
  const folder = tmpDir(t);
  const longest = `${folder}/${'d'.repeat(107 - 13 - folder.length - 2)}/`;
  const longer = `${longest.slice(0, -1)}d/`;
  mkdirSync(longest);
  mkdirSync(longer);
  await new UnixSeqpacketServer().listen(`${longest}s`, { replace: true }).close();
  const error = await failureOf(() => new UnixSeqpacketServer().listen(`${longer}s`, { replace: true }));
  assert.equal(error.code, 'ERR_OUT_OF_RANGE');
  assert.match(error.message, /at most 94 bytes with options.replace/);
  assert.deepEqual([readdirSync(longest), readdirSync(longer)], [[], []]);
  await new UnixSeqpacketServer().listen(`${longer}s`, { replaceStale: true }).close();
});

test('a relative path needs room for itself only', async (t) => {
  const folder = path.join(tmpDir(t), 'd'.repeat(100));
  mkdirSync(folder);
  const before = process.cwd();
  process.chdir(folder);
  t.after(() => process.chdir(before));
  const server = new UnixSeqpacketServer().listen('s', { replace: true });
  assert.deepEqual(readdirSync('.'), ['s']);
  process.chdir('/');
  await server.close();
  assert.deepEqual(readdirSync(folder), []);
});

test('a missing directory is told with the address', async (t) => {
  const at = path.join(tmpDir(t), 'missing', 's');
  for (const options of [{ replace: true }, { replaceStale: true }]) {
    const error = await failureOf(() => new UnixSeqpacketServer().listen(at, options));
    assert.equal(error.message, `bind ENOENT ${at}`);
  }
});

test('who may not replace the file leaves nothing behind', { skip: !isRoot && 'needs root' }, async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o1777);
  const at = path.join(folder, 's');
  closeAfter(t, new UnixSeqpacketServer().listen(at));
  const { ino } = statSync(at);
  const child = startFixture(t, 'bind-name', ['seqpacket', at, '{"replace":true}', 'nobody']);
  assert.equal(await child.line(), `rename EPERM ${at}`);
  assert.deepEqual(readdirSync(folder), ['s']);
  assert.equal(statSync(at).ino, ino);
  child.process.stdin?.end();
  await child.ended;
});

test('a failure leaves no descriptor', async (t) => {
  const folder = tmpDir(t);
  const before = fdCount();
  for (const at of [folder, path.join(folder, 'missing', 's')]) {
    await failureOf(() => new UnixSeqpacketServer().listen(at, { replace: true }));
  }
  assert.equal(fdCount(), before);
});

test('no client is refused while servers take over from each other', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const accept = (): UnixSeqpacketServer =>
    new UnixSeqpacketServer()
      .on('connection', (connection) => void connection.close())
      .listen(at, { replace: true });
  let server = accept();
  const clients = [1, 2].map(() => startFixture(t, 'hammer', [at]));
  await Promise.all(clients.map((one) => one.line()));
  for (let takeover = 0; takeover < TAKEOVERS; takeover++) {
    const old = server;
    server = accept();
    await once(server, 'listening');
    await old.close();
  }
  for (const one of clients) one.process.stdin?.end();
  for (const one of clients) assert.equal(await one.line(), '{"failures":{},"many":true}');
  await server.close();
  assert.deepEqual(readdirSync(folder), []);
});

test('many processes take one name over in turn; only the last one removes the file', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  const children = Array.from({ length: 8 }, () =>
    startFixture(t, 'bind-name', ['seqpacket', at, '{"replace":true}']),
  );
  for (const child of children) assert.equal(await child.line(), 'bound');
  assert.deepEqual(readdirSync(folder), ['s']);
  let served = true;
  for (const child of children) {
    child.process.stdin?.end();
    const { code, stderr } = await child.ended;
    assert.deepEqual([code, stderr], [0, '']);
    if (existsSync(at)) {
      assert.ok(served, 'a file that was removed does not come back');
      await new UnixSeqpacket().connect(at).close();
    } else {
      served = false;
    }
  }
  assert.deepEqual(readdirSync(folder), []);
});

test('replacing and giving way mix: whoever says replace serves, and the file is never lost', async (t) => {
  const folder = tmpDir(t);
  const at = path.join(folder, 's');
  await new UnixSeqpacketServer().listen(at, { unlinkOnClose: false }).close();
  const kinds = ['replace', 'replaceStale', 'replace', 'replaceStale', 'replace', 'replaceStale'];
  const children = kinds.map((kind) =>
    startFixture(t, 'bind-name', ['seqpacket', at, JSON.stringify({ [kind]: true })]),
  );
  const lines = await Promise.all(children.map((child) => child.line()));
  for (const [index, kind] of kinds.entries()) {
    if (kind === 'replace') assert.equal(lines[index], 'bound');
    else assert.match(lines[index] ?? '', /^(bound|bind EADDRINUSE .*)$/);
  }
  assert.ok(lines.filter((line, index) => line === 'bound' && kinds[index] === 'replaceStale').length <= 1);
  await new UnixSeqpacket().connect(at).close();
  for (const child of children) child.process.stdin?.end();
  await Promise.all(children.map((child) => child.ended));
  assert.deepEqual(readdirSync(folder), []);
});

test('a server whose file was moved away does not remove the file of the next', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const old = listen(t, at);
  renameSync(at, `${at}.old`);
  const heir = listen(t, at);
  old.name.unlink();
  assert.ok(existsSync(at));
  heir.name.unlink();
  assert.equal(existsSync(at), false);
});
