// What a runtime cannot do fails at once, says so and takes nothing; the rest works. Node does all of it. The cells `bun` and
// `deno` of the matrix run this file, and imitations.test.ts runs it with a Node that lacks what they lack.
import assert from 'node:assert/strict';
import dgram from 'node:dgram';
import { once } from 'node:events';
import { closeSync, existsSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import tls from 'node:tls';
import {
  adoptReadStream,
  adoptServer,
  adoptSocket,
  adoptUdp,
  adoptWriteStream,
  connectUnix,
  createHandoff,
  Fd,
  type Handoff,
  listenUnix,
  UnixServer,
} from 'fdpass';
import { SOCK_STREAM } from '#fdpass/fd/describe';
import { readState, writeState } from '#fdpass/handoff/state';
import { binding } from '#fdpass/native/binding';
import { freshName } from '../helpers/address-name';
import { failureOf } from '../helpers/outcome';
import { openPipe } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';

const { bun, deno } = process.versions;
const runtime = bun ? 'Bun' : deno ? 'Deno' : 'Node';
const version = bun || deno || process.versions.node;

type Runtime = typeof runtime;

const before = sockets();

/** What this process has open, but for what a runtime opens for itself. fd-guard is for Node only. */
function sockets(): number {
  return readdirSync('/proc/self/fd').filter((number) => linkOf(number).startsWith('socket:')).length;
}

function linkOf(number: string): string {
  try {
    return readlinkSync(`/proc/self/fd/${number}`);
  } catch {
    return ''; // that of readdirSync()
  }
}

/** `work` succeeds, but in the runtimes that lack something for it. */
function works(what: string, lacking: Runtime[], work: (t: TestContext) => Promise<void>): void {
  if (!lacking.includes(runtime)) {
    test(`${what} works`, work);
    return;
  }
  test(`${what} says that ${runtime} cannot do it`, async (t) => {
    const error = await failureOf(work(t));
    assert.equal(error.code, 'ERR_FDPASS_UNSUPPORTED_RUNTIME', error.stack);
    assert.ok(error.message.includes(` does not work in ${runtime} ${version}. `), error.message);
  });
}

function owned(t: TestContext, number: number): Fd {
  const fd = Fd.own(number);
  t.after(() => fd.close());
  return fd;
}

function tcpListener(t: TestContext): Fd {
  return owned(t, binding.listenTcp('127.0.0.1', 0, 8, false, false));
}

function pairOf(t: TestContext): [Fd, Fd] {
  const [left, right] = binding.openPair(SOCK_STREAM);
  return [owned(t, left), owned(t, right)];
}

function file(t: TestContext, mode: string): Fd {
  const number = openSync(path.join(tmpDir(t), 'file'), mode);
  const fd = owned(t, binding.duplicate(number));
  closeSync(number);
  return fd;
}

/** `fd` is consumed if the adoption succeeds, and as it was if it does not. */
async function consumes<T>(fd: Fd, adopt: () => T | Promise<T>): Promise<T> {
  const { inode } = fd.describe();
  try {
    const adopted = await adopt();
    assert.equal(fd.fd, -1);
    return adopted;
  } catch (error) {
    assert.equal(fd.describe().inode, inode);
    throw error;
  }
}

async function closed(server: net.Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

async function service(t: TestContext): Promise<Handoff> {
  const handoff = await createHandoff({ name: 'lacks', address: `@${freshName()}` });
  t.after(() => handoff.close());
  return handoff;
}

const servers: [what: string, lacking: Runtime[], make: () => net.Server][] = [
  ['net', [], () => net.createServer()],
  ['tls', [], () => tls.createServer()],
  ['http2', [], () => http2.createServer()],
  ['http', ['Bun'], () => http.createServer()],
  ['https', ['Bun'], () => https.createServer()],
];

for (const [what, lacking, make] of servers) {
  works(`adoptServer() of a server of ${what}`, lacking, async (t) => {
    const fd = tcpListener(t);
    const { local } = fd.describe();
    const server = make();
    try {
      await consumes(fd, () => adoptServer(server, fd));
      assert.deepEqual(server.address(), local);
    } finally {
      if (server.listening) await closed(server);
    }
    assert.equal(server.listening, false);
  });

  works(`listenUnix() with a server of ${what}`, lacking, async (t) => {
    const address = path.join(tmpDir(t), 's');
    const server = make();
    try {
      await listenUnix(server, address, { mode: 0o600 });
      assert.ok(existsSync(address));
      await closed(server);
    } finally {
      assert.ok(!existsSync(address));
    }
  });

  works(`listen() of a handoff with a server of ${what}`, lacking, async (t) => {
    const handoff = await service(t);
    const server = await handoff.listen('web', make(), { port: 0, host: '127.0.0.1' });
    await handoff.ready();
    const { port } = server.address() as net.AddressInfo;
    assert.equal(handoff.status().listeners[0]?.address, `127.0.0.1:${port}`);
    const client = net.connect(port, '127.0.0.1');
    await once(client, 'connect');
    client.destroy();
  });
}

works('adoptSocket() of a connection', [], async (t) => {
  const [left, right] = pairOf(t);
  const socket = await consumes(left, () => adoptSocket(left));
  const other = adoptSocket(right, { pauseOnCreate: true });
  socket.end('there');
  let text = '';
  other.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  other.resume();
  await once(other, 'close');
  assert.equal(text, 'there');
  if (!socket.destroyed) await once(socket, 'close');
});

works('adoptSocket() of a pipe', ['Bun'], async (t) => {
  const { reader } = openPipe(t);
  const socket = await consumes(reader, () => adoptSocket(reader));
  socket.destroy();
  await once(socket, 'close');
});

works('connectUnix()', ['Bun'], async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`);
  t.after(() => server.close());
  server.on('connection', (connection) => connection.end('hello'));
  const socket = connectUnix(server.address());
  const [data] = await once(socket, 'data');
  assert.equal(`${data}`, 'hello');
  await once(socket, 'close');
});

works('adoptUdp()', ['Deno'], async (t) => {
  const fd = owned(t, binding.bindUdp('127.0.0.1', 0, false, false));
  const { local } = fd.describe();
  const socket = await consumes(fd, () => adoptUdp(fd));
  assert.deepEqual(socket.address(), local);
  await new Promise<void>((resolve) => socket.close(resolve));
});

works('bindUdp() of a handoff', ['Deno'], async (t) => {
  const handoff = await service(t);
  const socket = await handoff.bindUdp('dns', { port: 0, address: '127.0.0.1' });
  await handoff.ready();
  assert.equal(handoff.status().listeners[0]?.address, `127.0.0.1:${socket.address().port}`);
});

works('adoptReadStream()', ['Deno'], async (t) => {
  const fd = file(t, 'w+');
  const stream = await consumes(fd, () => adoptReadStream(fd));
  await once(stream.resume(), 'close');
});

works('adoptWriteStream()', ['Deno'], async (t) => {
  const fd = file(t, 'w');
  const stream = await consumes(fd, () => adoptWriteStream(fd));
  await once(stream.end('text'), 'close');
});

test('the state of a handoff is written and read', (t) => {
  const blob = writeState(1, () => ({ seen: [1, 2] }), 1000);
  t.after(() => blob.fd.close());
  assert.deepEqual(readState(blob, 1000), { version: 1, value: { seen: [1, 2] } });
});

test('files are opened as before when socket files with a mode have been made', async (t) => {
  const folder = tmpDir(t);
  for (const name of ['a', 'b', 'c']) {
    const server = new UnixServer().listen(path.join(folder, name), { mode: 0o600 });
    assert.ok(readFileSync(__filename).length > 0);
    await server.close();
  }
});

works('Fd.dup() of a server of net on a port', ['Deno'], async (t) => {
  const server = net.createServer().listen(0, '127.0.0.1');
  t.after(() => closed(server));
  await once(server, 'listening');
  const fd = Fd.dup(server);
  assert.deepEqual(fd.describe().local, server.address());
  fd.close();
});

works('Fd.dup() of a server of http', ['Bun', 'Deno'], async (t) => {
  const server = http.createServer().listen(0, '127.0.0.1');
  t.after(() => closed(server));
  await once(server, 'listening');
  Fd.dup(server).close();
});

works('Fd.dup() of a socket of dgram', ['Deno'], async (t) => {
  const socket = dgram.createSocket('udp4').bind(0, '127.0.0.1');
  t.after(() => void socket.close());
  await once(socket, 'listening');
  Fd.dup(socket).close();
});

test('none of this has left a socket open', async () => {
  await nextTurn();
  assert.equal(sockets(), before);
});
