// inspectUnix(): which sockets have a name, what they are, and who holds them.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { chmodSync, readdirSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { adoptServer, Fd, UnixAddress, UnixDatagram, UnixSeqpacketServer } from 'fdpass';
import { SOCK_STREAM } from '#fdpass/fd/describe';
import { parseBoundSockets } from '#fdpass/names/bound-sockets';
import { findHolders } from '#fdpass/names/holders';
import { inspectUnix } from '#fdpass/names/inspect';
import { binding } from '#fdpass/native/binding';
import { freshName } from '../helpers/address-name';
import { start, startFixture } from '../helpers/child';
import { closeAfter } from '../helpers/link';
import { isRoot } from '../helpers/nobody';
import { failureOf } from '../helpers/outcome';
import { tmpDir } from '../helpers/tmp-dir';

test('a socket is listed with its type, its state, its inode and its holder', async (t) => {
  const folder = tmpDir(t);
  const at = (name: string): string => path.join(folder, name);
  const server = net.createServer().listen(at('stream'));
  t.after(() => server.close());
  await once(server, 'listening');
  const seqpacket = new UnixSeqpacketServer().listen(at('seqpacket'));
  const datagram = new UnixDatagram().bind(at('dgram'));
  closeAfter(t, seqpacket, datagram);
  for (const [name, type, state, from] of [
    ['stream', 'stream', 'listening', server],
    ['seqpacket', 'seqpacket', 'listening', seqpacket],
    ['dgram', 'dgram', 'unconnected', datagram],
  ] as const) {
    const [info, ...others] = inspectUnix({ address: at(name) });
    assert.deepEqual(others, []);
    using duplicate = Fd.dup(from);
    const { inode } = duplicate.describe();
    assert.ok(info);
    assert.ok(info.address.equals(at(name)));
    assert.deepEqual([info.type, info.state, info.inode], [type, state, inode]);
    const [owner, ...more] = info.owners;
    assert.deepEqual(more, []);
    assert.deepEqual([owner?.pid, owner?.uid], [process.pid, process.geteuid?.()]);
    assert.ok(owner?.command.startsWith(process.execPath), owner?.command);
    assert.ok(inspectUnix().some((one) => one.inode === inode && one.address.equals(at(name))));
  }
});

test('a connection has the name of its listener, and nobody while it waits', async () => {
  const address = UnixAddress.abstract(freshName());
  using fd = Fd.own(binding.openSocket(SOCK_STREAM));
  binding.bind(fd.fd, address.sunPath);
  binding.listen(fd.fd, 1);
  using client = Fd.own(binding.openSocket(SOCK_STREAM));
  binding.connect(client.fd, address.sunPath);
  const states = () =>
    inspectUnix({ address }).map(({ state, inode, owners }) => [state, inode !== 0n, owners.length]);
  assert.deepEqual(states().sort(), [
    ['connected', false, 0],
    ['listening', true, 1],
  ]);
  const server = net.createServer();
  const accepted = once(server, 'connection');
  await adoptServer(server, fd);
  const [connection] = (await accepted) as [net.Socket];
  assert.deepEqual(states().sort(), [
    ['connected', true, 1],
    ['listening', true, 1],
  ]);
  connection.destroy();
  server.close();
  await once(server, 'close');
});

test('a connected datagram socket is connected', (t) => {
  const peer = new UnixDatagram().bind();
  const socket = new UnixDatagram().bind().connect(peer.address());
  closeAfter(t, peer, socket);
  assert.deepEqual(
    inspectUnix({ address: socket.address() }).map(({ state }) => state),
    ['connected'],
  );
});

test('names keep their newlines and odd bytes; NULs of an abstract name are shown as @', (t) => {
  const folder = tmpDir(t);
  const prefix = Buffer.from(`${freshName()}-`);
  const odd = Buffer.from('a\n\nb \xff\x01\n', 'latin1');
  for (const address of [
    UnixAddress.abstract(Buffer.concat([prefix, odd])),
    UnixAddress.abstract(Buffer.concat([prefix, Buffer.from('\nfoo: 1 2 3')])),
    UnixAddress.path(Buffer.concat([Buffer.from(`${folder}/`), odd])),
  ]) {
    closeAfter(t, new UnixDatagram().bind(address));
    assert.ok(inspectUnix().some((one) => one.address.equals(address)));
    assert.equal(inspectUnix({ address })[0]?.owners[0]?.pid, process.pid);
  }
  const withNul = UnixAddress.abstract(Buffer.concat([prefix, Buffer.from('a\0b')]));
  closeAfter(t, new UnixDatagram().bind(withNul));
  const [info] = inspectUnix({ address: withNul });
  assert.equal(info?.address.toString(), `@${prefix}a@b`);
});

test('an address nobody has is an empty list; no name has none either', (t) => {
  closeAfter(t, ...UnixDatagram.pair());
  assert.deepEqual(inspectUnix({ address: `@${freshName()}` }), []);
  assert.deepEqual(inspectUnix({ address: UnixAddress.unnamed }), []);
  assert.deepEqual(
    inspectUnix().filter(({ address }) => address.kind === 'unnamed'),
    [],
  );
});

test('part of a name is not the name', (t) => {
  const name = freshName();
  closeAfter(t, new UnixDatagram().bind(`@${name}-longer`), new UnixDatagram().bind(`@x ${name}`));
  assert.deepEqual(inspectUnix({ address: `@${name}` }), []);
});

test('every process that has the socket open is named, once', async (t) => {
  const address = `@${freshName()}`;
  const server = new UnixSeqpacketServer().listen(address);
  closeAfter(t, server);
  using duplicate = Fd.dup(server);
  const child = start(t, 'sh', ['-c', 'echo up; read line'], {
    stdio: ['pipe', 'pipe', 'pipe', duplicate.fd, server.fd],
  });
  await child.line();
  const pids = inspectUnix({ address })[0]?.owners.map(({ pid }) => pid);
  assert.deepEqual(
    pids,
    [process.pid, child.process.pid].sort((a, b) => Number(a) - Number(b)),
  );
  child.process.stdin?.end();
  await child.ended;
});

test('a command line is one line of limited length that cannot garble a terminal', async (t) => {
  const address = `@${freshName()}`;
  const server = new UnixSeqpacketServer().listen(address);
  closeAfter(t, server);
  const stdio = ['pipe', 'pipe', 'pipe', server.fd] as const;
  for (const [argument, pattern] of [
    ['two\nlines \x1b[31m', /^sh -c echo up; read line two\\x0alines \\x1b\[31m$/],
    ['é€', /^sh -c echo up; read line é€$/],
    ['x'.repeat(5000), /^sh -c echo up; read line x{134}…$/],
  ] as const) {
    const child = start(t, 'sh', ['-c', 'echo up; read line', argument], { stdio: [...stdio] });
    await child.line();
    const owner = inspectUnix({ address })[0]?.owners.find(({ pid }) => pid === child.process.pid);
    assert.match(owner?.command ?? '', pattern);
    child.process.stdin?.end();
    await child.ended;
  }
});

test('other users do not see who holds our sockets, but their own', {
  skip: !isRoot && 'needs root',
}, async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o777);
  const at = path.join(folder, 's');
  closeAfter(t, new UnixDatagram().bind(at));
  const child = startFixture(t, 'inspect-as-nobody', [at]);
  const { pid } = child.process;
  assert.equal(await child.line(), JSON.stringify([[[{ pid, uid: 65_534 }]], [[]]]));
  await child.ended;
});

test('processes that end while they are looked at do no harm', async (t) => {
  const address = `@${freshName()}`;
  closeAfter(t, new UnixDatagram().bind(address));
  const child = start(t, 'sh', [
    '-c',
    'echo up; i=0; while [ $i -lt 300 ]; do (exit) & i=$((i+1)); done; wait',
  ]);
  await child.line();
  let running = true;
  void child.ended.then(() => {
    running = false;
  });
  while (running) {
    assert.deepEqual(
      inspectUnix({ address })[0]?.owners.map(({ pid }) => pid),
      [process.pid],
    );
    await new Promise(setImmediate);
  }
});

test('a search with a limit ends there', (t) => {
  const socket = new UnixDatagram().bind();
  closeAfter(t, socket);
  using duplicate = Fd.dup(socket);
  const { inode } = duplicate.describe();
  assert.equal(findHolders([inode]).get(inode)?.length, 1);
  // Of the first process that has descriptors; ours is none of the first.
  const early = findHolders([inode], { maxDescriptors: 1 }).get(inode);
  assert.deepEqual(early, firstVisiblePid() === process.pid ? findHolders([inode]).get(inode) : []);
});

test('wrong arguments are refused', async () => {
  for (const options of [null, 5, { address: 5 }]) {
    const error = await failureOf(() => inspectUnix(options as never));
    assert.equal(error.code, 'ERR_INVALID_ARG_TYPE');
  }
});

function firstVisiblePid(): number | undefined {
  const pids = readdirSync('/proc').map(Number).filter(Number.isInteger);
  return pids.sort((a, b) => a - b).find((pid) => hasDescriptors(pid));
}

function hasDescriptors(pid: number): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).length > 0;
  } catch {
    return false;
  }
}

const HEAD = 'Num       RefCount Protocol Flags    Type St Inode Path\n';

test('the list of the kernel is read in all its forms', () => {
  const text = [
    '00000000ce66dec4: 00000002 00000000 00010000 0001 01 4274801 /run/a.sock',
    '00000000a9590e10: 00000003 00000000 00000000 0001 03  1073',
    '0000000000000000: 00000003 00000000 00000000 0001 02     0 /run/a.sock',
    'c7b3a900: 00000002 00000000 00010000 0005 01    12 @0001f',
    '(____ptrval____): 00000002 00000000 00000000 0002 01    13 /with space ',
    '00000000a9590e11: 00000002 00000000 00000000 0003 01    14 /unknown-type',
    '00000000a9590e12: 00000002 00000000 00000000 0002 03    15 @',
    'second line: of that name\n',
  ].join('\n');
  const read = parseBoundSockets(HEAD + text).map(({ address, type, state, inode }) => [
    `${address.kind} ${address.bytes.toString('latin1')}`,
    type,
    state,
    inode,
  ]);
  assert.deepEqual(read, [
    ['path /run/a.sock', 'stream', 'listening', 4274801n],
    ['path /run/a.sock', 'stream', 'connected', 0n],
    ['abstract 0001f', 'seqpacket', 'listening', 12n],
    ['path /with space ', 'dgram', 'unconnected', 13n],
    ['abstract \nsecond line: of that name', 'dgram', 'connected', 15n],
  ]);
  assert.deepEqual(parseBoundSockets(HEAD), []);
  assert.deepEqual(parseBoundSockets(''), []);
});

test('a name as long as it can be is read whole', (t) => {
  const address = UnixAddress.abstract(Buffer.alloc(107, '\n'));
  closeAfter(t, new UnixDatagram().bind(address));
  assert.equal(inspectUnix({ address }).length, 1);
});
