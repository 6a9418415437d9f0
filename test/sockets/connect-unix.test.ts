// connectUnix: a net.Socket that behaves as one of net.connect() while it connects, when it cannot, and after.
import assert from 'node:assert/strict';
import { EventEmitter, getEventListeners, once } from 'node:events';
import { chmodSync, existsSync, readFileSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { adoptServer, Fd, type SystemError, UnixAddress, UnixSeqpacketServer } from 'fdpass';
import { SOCK_STREAM } from '#fdpass/fd/describe';
import { lend } from '#fdpass/fd/lend';
import { binding } from '#fdpass/native/binding';
import { type ConnectUnixOptions, connectUnix } from '#fdpass/sockets/connect-unix';
import { listenUnix } from '#fdpass/sockets/listen-unix';
import { freshName } from '../helpers/address-name';
import { startFixture } from '../helpers/child';
import { settledFdCount } from '../helpers/fd-count';
import { systemFields } from '../helpers/outcome';
import { tmpDir } from '../helpers/tmp-dir';

const places: Record<string, (t: TestContext) => string> = {
  path: (t) => path.join(tmpDir(t), 's'),
  abstract: () => `@${freshName()}`,
};

async function textOf(stream: AsyncIterable<string | Buffer>): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += chunk;
  return text;
}

async function close(server: net.Server): Promise<void> {
  const closed = once(server, 'close');
  server.close();
  await closed;
}

/** The names of what a socket emits, up to 'close', and its error. */
async function lifeOf(socket: net.Socket): Promise<{ events: string[]; error: SystemError }> {
  const events: string[] = [];
  let error: unknown;
  for (const event of ['connect', 'ready', 'error', 'end', 'close'])
    socket.on(event, () => events.push(event));
  socket.on('error', (what) => {
    error = what;
  });
  await EventEmitter.once(socket.resume(), 'close', { signal: AbortSignal.timeout(20_000) }).catch(
    (failure) => {
      if (failure !== error) throw failure; // once() rejects with 'error', which comes before 'close'
    },
  );
  if (!events.includes('close')) await new Promise((resolve) => socket.once('close', resolve));
  return { events, error: error as SystemError };
}

/** Listens with room for two, and accepts nobody; the Fd is adopted when somebody shall. */
function deafListener(at: string): Fd {
  const fd = Fd.own(binding.openSocket(SOCK_STREAM));
  binding.bind(fd.fd, UnixAddress.from(at).sunPath);
  binding.listen(fd.fd, 1);
  return fd;
}

/** A deaf listener whose queue is full. The clients that fill it can be told to go. */
async function fullListener(t: TestContext, at: string): Promise<{ fd: Fd; fillers: net.Socket[] }> {
  const fd = deafListener(at);
  const fillers = [connectUnix(at), connectUnix(at)];
  for (const filler of fillers) filler.on('error', () => {}); // ECONNRESET, when the listener goes
  await Promise.all(fillers.map((filler) => once(filler, 'connect')));
  t.after(() => {
    for (const filler of fillers) filler.destroy();
    if (fd.fd !== -1) fd.close();
  });
  return { fd, fillers };
}

/** Turns of the loop go by meanwhile. */
async function pass(ms: number): Promise<void> {
  const from = performance.now();
  while (performance.now() - from < ms) await nextTurn();
}

/** Resolves when the socket has waited, and tried again. */
async function pausesOf(socket: net.Socket): Promise<void> {
  await pass(5);
  assert.ok(socket.connecting);
}

const echo = (): net.Server => net.createServer({ allowHalfOpen: true }, (socket) => socket.pipe(socket));

for (const [kind, place] of Object.entries(places)) {
  test(`${kind}: it connects in a later turn; what was written before arrives first`, async (t) => {
    const server = await listenUnix(echo(), place(t));
    const socket = connectUnix(server.address() as string);
    assert.ok(socket instanceof net.Socket);
    assert.deepEqual(
      [socket.connecting, socket.pending, socket.readyState],
      [true, true, 'opening'],
      'as net.connect()',
    );
    let ticked = false;
    process.nextTick(() => {
      ticked = true;
      assert.ok(socket.connecting, 'listeners of the next tick are in time, too');
    });
    socket.write('one ');
    socket.write('two ');
    const life = lifeOf(socket);
    await once(socket, 'connect');
    assert.ok(ticked);
    assert.deepEqual([socket.connecting, socket.pending, socket.readyState], [false, false, 'open']);
    socket.end('three');
    const text = textOf(socket);
    assert.equal(await text, 'one two three');
    assert.deepEqual((await life).events, ['connect', 'ready', 'end', 'close']);
    assert.equal(socket.bytesRead, 13);
    assert.equal(socket.bytesWritten, 13);
    await close(server);
  });

  test(`${kind}: end() before the connection ends it behind what was written`, async (t) => {
    const server = await listenUnix(echo(), place(t));
    const socket = connectUnix(server.address() as string);
    socket.end('all of it');
    assert.equal(await textOf(socket), 'all of it');
    await close(server);
  });

  test(`${kind}: fifty at once are all served`, async (t) => {
    const server = await listenUnix(echo(), place(t), { backlog: 4 });
    const texts = Array.from({ length: 50 }, (_, i) => `number ${i}`);
    const answers = texts.map((text) => textOf(connectUnix(server.address() as string).end(text)));
    assert.deepEqual(await Promise.all(answers), texts);
    await close(server);
  });

  test(`${kind}: an agent keeps one connection for several requests`, async (t) => {
    const server = http.createServer((request, response) => response.end(request.url));
    let connections = 0;
    server.on('connection', () => connections++);
    const at = place(t);
    await listenUnix(server, at);
    const agent = Object.assign(new http.Agent({ keepAlive: true }), {
      createConnection: () => connectUnix(at),
    });
    for (const url of ['/1', '/2', '/3']) {
      const [response] = (await once(http.get({ agent, path: url }), 'response')) as [http.IncomingMessage];
      assert.equal(await textOf(response), url);
      await nextTurn(); // the agent takes the connection back
    }
    assert.equal(connections, 1);
    agent.destroy();
    await close(server);
  });

  test(`${kind}: a full backlog is waited for, and everybody is served in the end`, async (t) => {
    const at = place(t);
    const fd = deafListener(at);
    const sockets = Array.from({ length: 6 }, (_, i) => connectUnix(at).end(`${i}`));
    const answers = Promise.all(sockets.map(textOf));
    await Promise.all(sockets.slice(0, 2).map((socket) => once(socket, 'connect')));
    for (const socket of sockets.slice(2)) await pausesOf(socket);
    const server = await adoptServer(echo(), fd);
    assert.deepEqual(await answers, ['0', '1', '2', '3', '4', '5']);
    await close(server);
  });

  test(`${kind}: a listener that goes while its backlog is full ends the wait`, async (t) => {
    const at = place(t);
    const { fd } = await fullListener(t, at);
    const socket = connectUnix(at);
    const life = lifeOf(socket);
    await pausesOf(socket);
    fd.close();
    const { events, error } = await life;
    assert.deepEqual(events, ['error', 'close']);
    assert.equal(error.code, 'ECONNREFUSED');
  });
}

/** What makes connect(2) fail. */
const failures: Record<
  string,
  [make: (t: TestContext) => string | Promise<string>, code: string, errno: number]
> = {
  'a name that nobody has': [() => `@${freshName()}`, 'ECONNREFUSED', -111],
  'a path that leads nowhere': [(t) => path.join(tmpDir(t), 's'), 'ENOENT', -2],
  'a leftover': [
    async (t) => {
      const at = path.join(tmpDir(t), 's');
      await close(await listenUnix(net.createServer(), at, { unlinkOnClose: false }));
      return at;
    },
    'ECONNREFUSED',
    -111,
  ],
  'a file that is no socket': [
    (t) => {
      const at = path.join(tmpDir(t), 's');
      writeFileSync(at, '');
      return at;
    },
    'ECONNREFUSED',
    -111,
  ],
  'a socket of another type': [
    (t) => {
      const server = new UnixSeqpacketServer().listen(path.join(tmpDir(t), 's'));
      t.after(() => server.close());
      return server.address().toString();
    },
    'EPROTOTYPE',
    -91,
  ],
};

for (const [what, [make, code, errno]] of Object.entries(failures)) {
  test(`${what} is 'error' then 'close', with the fields of node:net`, async (t) => {
    const at = await make(t);
    const before = await settledFdCount();
    const socket = connectUnix(at);
    const written = new Promise((resolve) => socket.write('into the void', resolve));
    const { events, error } = await lifeOf(socket);
    assert.deepEqual(events, ['error', 'close']);
    const message = `connect ${code} ${at}`;
    assert.deepEqual(systemFields(error), { code, errno, syscall: 'connect', address: at, message });
    assert.ok((await written) instanceof Error);
    assert.deepEqual([socket.destroyed, socket.connecting, socket.readyState], [true, false, 'closed']);
    assert.equal(await settledFdCount(), before);
  });
}

test('a request that cannot connect fails with the same error', async () => {
  const at = `@${freshName()}`;
  for (const options of [
    {},
    { agent: Object.assign(new http.Agent(), { createConnection: () => connectUnix(at) }) },
  ]) {
    const request = http.get({ createConnection: () => connectUnix(at), ...options });
    const [error] = (await once(request, 'error')) as [SystemError];
    assert.equal(error.code, 'ECONNREFUSED');
    assert.equal(error.address, at);
  }
});

test('a file that this user may not write to is EACCES', async (t) => {
  const folder = tmpDir(t);
  chmodSync(folder, 0o755);
  const server = await listenUnix(echo(), path.join(folder, 's'), { mode: 0o600 });
  const { stdout } = await startFixture(t, 'unix-client', ['denied', path.join(folder, 's')]).ended;
  assert.equal(stdout, process.getuid?.() === 0 ? 'EACCES\n' : 'connected\n');
  await close(server);
});

/** What ends the wait for room, and what it says. */
const endings: Record<
  string,
  {
    options?: ConnectUnixOptions;
    end?(socket: net.Socket, abort: AbortController): void;
    code: string | undefined;
  }
> = {
  timeout: { options: { timeout: 30 }, code: 'ERR_FDPASS_TIMEOUT' },
  'a signal': {
    end: (_, abort) => abort.abort('reason'),
    code: 'ABORT_ERR',
  },
  'destroy()': { end: (socket) => socket.destroy(), code: undefined },
  'destroy(error)': {
    end: (socket) => socket.destroy(Object.assign(new Error(), { code: 'MINE' })),
    code: 'MINE',
  },
};

for (const [how, { options, end, code }] of Object.entries(endings)) {
  test(`${how} ends the wait for room, and nothing is left`, async (t) => {
    const at = `@${freshName()}`;
    await fullListener(t, at);
    const before = await settledFdCount();
    const abort = new AbortController();
    const socket = connectUnix(at, { localAddress: `@${freshName()}`, signal: abort.signal, ...options });
    const written = new Promise((resolve) => socket.write('never sent', resolve));
    const life = lifeOf(socket);
    if (end !== undefined) {
      await pausesOf(socket);
      end(socket, abort);
    }
    const { events, error } = await life;
    assert.deepEqual(events, code === undefined ? ['close'] : ['error', 'close']);
    assert.equal(error?.code, code);
    if (code === 'ABORT_ERR') assert.equal(error.cause, 'reason');
    assert.equal(getEventListeners(abort.signal, 'abort').length, 0);
    assert.ok((await written) instanceof Error);
    assert.equal(await settledFdCount(), before);
  });
}

test('a destroyed socket does not try again: its number may be somebody else’s by then', async (t) => {
  const at = `@${freshName()}`;
  const { fd } = await fullListener(t, at);
  const socket = connectUnix(at);
  const number = lend(socket);
  await pausesOf(socket);
  socket.destroy();
  await once(socket, 'close');
  const heirs = [1, 2, 3].map(() => Fd.own(binding.openSocket(SOCK_STREAM)));
  assert.ok(heirs.some((heir) => heir.fd === number));
  const server = await adoptServer(
    net.createServer((one) => one.destroy()),
    fd,
  ); // room
  await pass(30); // longer than any pause
  for (const heir of heirs) {
    assert.equal(heir.describe().remote, undefined);
    heir.close();
  }
  await close(server);
});

test('destroy() in the tick of the call closes silently', async (t) => {
  const server = await listenUnix(echo(), places['path']?.(t) ?? '');
  const before = await settledFdCount();
  const socket = connectUnix(server.address() as string);
  socket.destroy();
  assert.deepEqual((await lifeOf(socket)).events, ['close']);
  assert.equal(await settledFdCount(), before);
  await close(server);
});

test('a signal that has aborted before is an error, and one that aborts later destroys the connection', async (t) => {
  const server = await listenUnix(echo(), places['path']?.(t) ?? '');
  const at = server.address() as string;
  const late = connectUnix(at, { signal: AbortSignal.abort() });
  const { events, error } = await lifeOf(late);
  assert.deepEqual([events, error.name], [['error', 'close'], 'AbortError']);

  const abort = new AbortController();
  const socket = connectUnix(at, { signal: abort.signal });
  const life = lifeOf(socket);
  await once(socket, 'connect');
  abort.abort();
  assert.deepEqual((await life).events, ['connect', 'ready', 'error', 'close']);
  await close(server);
});

test('a time limit for connecting does not touch a connection', async (t) => {
  const server = await listenUnix(echo(), places['path']?.(t) ?? '');
  const socket = connectUnix(server.address() as string, { timeout: 1 });
  await once(socket, 'connect');
  await pass(5);
  socket.end('fine');
  assert.equal(await textOf(socket), 'fine');
  await close(server);
});

test('the peer sees the local address; its file goes with the socket', async (t) => {
  const folder = tmpDir(t);
  for (const [to, from] of [
    [path.join(folder, 's'), path.join(folder, 'client')],
    [`@${freshName()}`, `@${freshName()}`],
  ] as const) {
    const server = await listenUnix(echo(), to);
    const connection = once(server, 'connection') as Promise<[net.Socket]>;
    const socket = connectUnix(to, { localAddress: from });
    await once(socket, 'connect');
    const [theirs] = await connection;
    using fd = Fd.dup(theirs);
    assert.equal(fd.describe().remote?.toString(), from);
    assert.equal(existsSync(from), !from.startsWith('@'));
    socket.destroy();
    assert.equal(existsSync(from), false);
    theirs.destroy();
    await close(server);
  }
});

test('a local address in use is an error of bind, and its file is untouched', async (t) => {
  const folder = tmpDir(t);
  const from = path.join(folder, 'file');
  writeFileSync(from, 'precious');
  const server = await listenUnix(echo(), path.join(folder, 's'));
  const before = await settledFdCount();
  const { events, error } = await lifeOf(connectUnix(server.address() as string, { localAddress: from }));
  assert.deepEqual(events, ['error', 'close']);
  const { code, syscall, address } = error;
  assert.deepEqual({ code, syscall, address }, { code: 'EADDRINUSE', syscall: 'bind', address: from });
  assert.equal(readFileSync(from, 'utf8'), 'precious');
  assert.equal(await settledFdCount(), before);
  await close(server);
});

test('the local file goes when the connection cannot be made', async (t) => {
  const folder = tmpDir(t);
  const localAddress = path.join(folder, 'client');
  await lifeOf(connectUnix(path.join(folder, 'none'), { localAddress }));
  assert.equal(existsSync(localAddress), false);
});

test('with allowHalfOpen the socket writes on after its peer has ended', async (t) => {
  const got: Promise<string>[] = [];
  const server = net.createServer({ allowHalfOpen: true }, (socket) => {
    socket.end();
    got.push(textOf(socket));
  });
  await listenUnix(server, places['path']?.(t) ?? '');
  const socket = connectUnix(server.address() as string, { allowHalfOpen: true });
  await once(socket.resume(), 'end');
  socket.end('still');
  await once(socket, 'close');
  assert.deepEqual(await Promise.all(got), ['still']);
  await close(server);
});

test('a paused socket is not read from until it is resumed', async (t) => {
  const server = await listenUnix(
    net.createServer((socket) => socket.end('text')),
    places['path']?.(t) ?? '',
  );
  const socket = connectUnix(server.address() as string).pause();
  await once(socket, 'connect');
  await nextTurn();
  assert.equal(socket.bytesRead, 0);
  assert.equal(await textOf(socket), 'text');
  await close(server);
});

test('misuse throws at once', () => {
  const cases: [() => unknown, string][] = [
    [() => connectUnix(7 as unknown as string), 'ERR_INVALID_ARG_TYPE'],
    [() => connectUnix('x'.repeat(108)), 'ERR_OUT_OF_RANGE'],
    [() => connectUnix('@a', null as unknown as object), 'ERR_INVALID_ARG_TYPE'],
    [() => connectUnix('@a', { timeout: 0 }), 'ERR_OUT_OF_RANGE'],
    [() => connectUnix('@a', { signal: {} as AbortSignal }), 'ERR_INVALID_ARG_TYPE'],
    [() => connectUnix('@a', { localAddress: 1 as unknown as string }), 'ERR_INVALID_ARG_TYPE'],
  ];
  for (const [call, code] of cases) assert.throws(call, { code });
});

/** The life of a process that connects to a full listener of its own. */
const lives: Record<string, [scenario: string, stdout: string]> = {
  'a socket that waits for room keeps its process alive until it is served': ['served late', 'connected\n'],
  'an unref’d socket that waits for room lets its process end': ['unref', ''],
  'without a free descriptor it is EMFILE, as an event, and the next one connects': [
    'exhausted',
    'connect: EMFILE socket\nlisten: EMFILE socket\nagain\n',
  ],
  'a worker thread that is terminated while its socket waits leaves no descriptor': ['worker', 'none left\n'],
};

for (const [title, [scenario, expected]] of Object.entries(lives)) {
  test(title, async (t) => {
    const { code, signal, stdout, stderr } = await startFixture(t, 'unix-client', [scenario]).ended;
    assert.equal(stderr, '');
    assert.equal(stdout, expected);
    assert.deepEqual({ code, signal }, { code: 0, signal: null });
  });
}
