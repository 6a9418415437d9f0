// Options of sockets, names and adopted descriptors that are misspelt are refused, before anything is opened or taken.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import net from 'node:net';
import test from 'node:test';
import {
  adoptReadStream,
  adoptServer,
  adoptSocket,
  adoptWriteStream,
  connectUnix,
  Fd,
  inspectUnix,
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
import { fdCount } from '../helpers/fd-count';
import { failureOf } from '../helpers/outcome';

/** As JavaScript gives them. */
// biome-ignore lint/suspicious/noExplicitAny: the compiler would not let them pass
type Anything = any;

interface Misuse {
  given: object;
  /** What the error says of it; most often the option that was meant. */
  says: RegExp;
  call(options: Anything): unknown;
}

/** The socket is open while the option is refused, and closed behind it. */
function during<S extends { close(): unknown }>(
  open: () => S,
  use: (socket: S, options: Anything) => unknown,
) {
  return async (options: Anything): Promise<void> => {
    const socket = open();
    try {
      await use(socket, options);
    } finally {
      await socket.close();
    }
  };
}

/** An adoption that fails leaves the descriptor to its owner. */
function adopting(open: () => Fd, adopt: (fd: Fd, options: Anything) => unknown) {
  return during(open, async (fd, options) => {
    try {
      await adopt(fd, options);
    } finally {
      assert.notEqual(fd.fd, -1, 'the descriptor was taken');
    }
  });
}

// A duplicate: what `fs` has opened, `fs` closes, which in Deno keeps a table of its numbers.
function device(): Fd {
  const number = openSync('/dev/null', 'r+');
  const fd = Fd.dup(number);
  closeSync(number);
  return fd;
}

const name = (): string => `@${freshName()}`;

/** An end of it is enough: the kind is looked at, and then the options. */
function unixSocket(type: 'stream' | 'dgram' | 'seqpacket', listening: boolean) {
  return (): Fd => {
    const socket = RawSocket.open(type);
    if (listening) socket.bind(name()).listen(1);
    return socket.detach();
  };
}

function connection(): Fd {
  const [one, other] = RawSocket.pair('stream');
  other.close();
  return one.detach();
}

const UNLINK = { given: { unlinkOnclose: false }, says: /did you mean unlinkOnClose\?$/ };
const FDS = { given: { fsd: [] }, says: /did you mean fds\?$/ };
const MAX_FDS = { given: { maxfds: 1 }, says: /did you mean maxFds\?$/ };
const TIMEOUT = { given: { timeoutMs: 5 }, says: /did you mean timeout\?$/ };
const SIGNAL = {
  given: { signal: undefined },
  says: /^options\.signal is unknown; give it to listen\(\), which closes the server then/,
};
const ONREAD = {
  given: { onread: {} },
  says: /^options\.onread is unknown; its buffer is one of one connection.*UnixStream\.adopt\(Fd\.dup\(connection\), \{ onread \}\)$/,
};

const refused: Record<string, Misuse> = {
  'new UnixDatagram()': { ...MAX_FDS, call: (options) => new UnixDatagram(options) },
  'UnixDatagram.pair()': { ...MAX_FDS, call: (options) => UnixDatagram.pair(options) },
  'UnixDatagram.adopt()': { ...MAX_FDS, call: adopting(unixSocket('dgram', false), UnixDatagram.adopt) },
  'UnixDatagram.bind()': {
    ...UNLINK,
    call: during(
      () => new UnixDatagram(),
      (socket, options) => socket.bind(name(), options),
    ),
  },
  'bind() with an owner': {
    given: { owner: { userid: 0 } },
    says: /^options\.owner\.userid is unknown; known are uid, gid$/,
    call: during(
      () => new UnixDatagram(),
      (socket, options) => socket.bind('./never', options),
    ),
  },
  'UnixDatagram.send()': {
    ...FDS,
    call: during(
      () => new UnixDatagram(),
      (socket, options) => socket.send('x', name(), options),
    ),
  },
  'UnixDatagram.trySend()': {
    given: { timeout: 5 },
    says: /^options\.timeout is unknown; known are fds, credentials$/,
    call: during(
      () => new UnixDatagram(),
      (socket, options) => socket.trySend('x', name(), options),
    ),
  },
  'UnixDatagram.receive()': {
    ...TIMEOUT,
    call: during(
      () => new UnixDatagram(),
      (socket, options) => socket.receive(options),
    ),
  },
  'new UnixSeqpacket()': {
    given: { allowHalfopen: true },
    says: /did you mean allowHalfOpen\?$/,
    call: (options) => new UnixSeqpacket(options),
  },
  'UnixSeqpacket.pair()': { ...MAX_FDS, call: (options) => UnixSeqpacket.pair(options) },
  'UnixSeqpacket.adopt()': {
    ...MAX_FDS,
    call: adopting(unixSocket('seqpacket', false), UnixSeqpacket.adopt),
  },
  'UnixSeqpacket.send()': {
    ...FDS,
    call: during(
      () => new UnixSeqpacket(),
      (socket, options) => socket.send('x', options),
    ),
  },
  'UnixSeqpacket.trySend()': {
    ...FDS,
    call: during(
      () => new UnixSeqpacket(),
      (socket, options) => socket.trySend('x', options),
    ),
  },
  'UnixStream.connect()': { ...TIMEOUT, call: (options) => UnixStream.connect(name(), options) },
  'UnixStream.pair()': {
    given: { timeout: 5 },
    says: /^options\.timeout is unknown; known are maxFds, /,
    call: (options) => UnixStream.pair(options),
  },
  'UnixStream.adopt()': { ...MAX_FDS, call: adopting(unixSocket('stream', false), UnixStream.adopt) },
  'UnixStream.send()': {
    ...FDS,
    call: during(
      () => {
        const [one, other] = UnixStream.pair();
        other.destroy();
        return Object.assign(one, { close: () => one.destroy() });
      },
      (stream, options) => stream.send('x', options),
    ),
  },
  'new UnixServer()': { ...MAX_FDS, call: (options) => new UnixServer(options) },
  'new UnixServer() with a signal': { ...SIGNAL, call: (options) => new UnixServer(options) },
  'new UnixServer() with onread': { ...ONREAD, call: (options) => new UnixServer(options) },
  'UnixServer.adopt()': {
    given: { holdname: true },
    says: /did you mean holdName\?$/,
    call: adopting(unixSocket('stream', true), UnixServer.adopt),
  },
  'UnixServer.adopt() with onread': {
    ...ONREAD,
    call: adopting(unixSocket('stream', true), UnixServer.adopt),
  },
  'UnixServer.listen()': {
    ...UNLINK,
    call: during(
      () => new UnixServer(),
      (server, options) => server.listen(name(), options),
    ),
  },
  'UnixServer.close()': {
    given: { unlinks: false },
    says: /did you mean unlink\?$/,
    call: during(
      () => new UnixServer().listen(name()),
      (server, options) => server.close(options),
    ),
  },
  'new UnixSeqpacketServer()': { ...MAX_FDS, call: (options) => new UnixSeqpacketServer(options) },
  'new UnixSeqpacketServer() with a signal': {
    ...SIGNAL,
    call: (options) => new UnixSeqpacketServer(options),
  },
  'new UnixSeqpacketServer() with a name to hold': {
    given: { holdName: true },
    says: /^options\.holdName is unknown; known are maxFds, /,
    call: (options) => new UnixSeqpacketServer(options),
  },
  'UnixSeqpacketServer.adopt()': {
    ...MAX_FDS,
    call: adopting(unixSocket('seqpacket', true), UnixSeqpacketServer.adopt),
  },
  'listenUnix()': {
    given: { replacestale: true },
    says: /did you mean replaceStale\?$/,
    call: (options) => listenUnix(net.createServer(), name(), options),
  },
  'connectUnix()': { ...TIMEOUT, call: (options) => connectUnix(name(), options) },
  'inspectUnix()': {
    given: { adress: '@x' },
    says: /did you mean address\?$/,
    call: inspectUnix,
  },
  'UnixAddress.abstract()': {
    given: { pad: true },
    says: /^options\.pad is unknown; known are padded$/,
    call: (options) => UnixAddress.abstract('x', options),
  },
  'adoptServer()': {
    given: { backlogs: 1 },
    says: /did you mean backlog\?$/,
    call: adopting(unixSocket('stream', true), (fd, options) => adoptServer(net.createServer(), fd, options)),
  },
  'adoptSocket()': {
    given: { pauseOnConnect: true },
    says: /^options\.pauseOnConnect is unknown; known are allowHalfOpen, pauseOnCreate$/,
    call: adopting(connection, adoptSocket),
  },
  'adoptReadStream()': {
    given: { flags: 'r' },
    says: /^options\.flags is unknown; known are start, end, highWaterMark, encoding$/,
    call: adopting(device, adoptReadStream),
  },
  'adoptWriteStream()': {
    given: { end: 5 },
    says: /^options\.end is unknown; known are start, highWaterMark, encoding$/,
    call: adopting(device, adoptWriteStream),
  },
  'RawSocket.send()': {
    given: { flag: 0 },
    says: /did you mean flags\?$/,
    call: during(
      () => RawSocket.open('dgram'),
      (socket, options) => socket.send('x', options),
    ),
  },
  'RawSocket.receive()': {
    given: { controlbytes: 64 },
    says: /did you mean controlBytes\?$/,
    call: during(
      () => RawSocket.open('dgram'),
      (socket, options) => socket.receive(options),
    ),
  },
};

for (const [title, { given, says, call }] of Object.entries(refused)) {
  test(`${title} refuses an option that it does not know`, async () => {
    const before = fdCount();
    const { code, message } = await failureOf(async () => await call(given));
    assert.equal(code, 'ERR_INVALID_ARG_VALUE', message);
    assert.match(message, says);
    assert.equal(fdCount(), before);
  });

  test(`${title} refuses options that are no object`, async () => {
    for (const value of [null, 5, 'text', () => {}]) {
      const wrong = title.includes(' with an owner') ? { owner: value } : value;
      const { code, message } = await failureOf(async () => await call(wrong));
      assert.equal(code, 'ERR_INVALID_ARG_TYPE', message);
      assert.match(message, /^options(\.owner)? must be an object; it is /);
    }
  });
}

test('options that a class inherits are no misspelt ones', async () => {
  class Options {
    maxFds = 1;
  }
  Object.assign(Options.prototype, { note: 'of ours' });
  await new UnixDatagram(new Options()).close();
});

test('a server that was adopted gives its connections the options that are theirs', async () => {
  for (const [type, Server] of [
    ['stream', UnixServer],
    ['seqpacket', UnixSeqpacketServer],
  ] as const) {
    const server = Server.adopt(unixSocket(type, true)(), { holdName: true, maxFds: 1 });
    const accepted = new Promise<{ fd: number }>((resolve) => server.once('connection', resolve));
    const client = RawSocket.open(type).connect(server.address());
    assert.notEqual((await accepted).fd, -1);
    client.close();
    server.closeAllConnections();
    await server.close();
  }
});
