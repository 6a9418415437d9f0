// Every sort of descriptor against every function that adopts: who takes it, and what the others say.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { constants, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import {
  adoptServer,
  adoptSocket,
  adoptUdp,
  Fd,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixStream,
} from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { adoptReadStream, adoptWriteStream } from '#fdpass/fd/adopt-stream';
import { SOCK_DGRAM, SOCK_SEQPACKET, SOCK_STREAM } from '#fdpass/fd/describe';
import { binding } from '#fdpass/native/binding';
import { freshName } from '../helpers/address-name';
import { openPipe } from '../helpers/pipe';
import { tmpDir } from '../helpers/tmp-dir';

/** Adopts, and closes what came of it. */
type Adopt = (fd: Fd) => Promise<unknown>;

async function destroyed(stream: NodeJS.EventEmitter & { destroy(): unknown }): Promise<void> {
  const closed = once(stream, 'close');
  stream.destroy();
  await closed;
}

const functions: Record<string, Adopt> = {
  'adoptServer()': async (fd) => (await adoptServer(net.createServer(), fd)).close(),
  'adoptSocket()': async (fd) => await destroyed(adoptSocket(fd)),
  'adoptUdp()': async (fd) => (await adoptUdp(fd)).close(),
  'adoptReadStream()': async (fd) => await destroyed(adoptReadStream(fd)),
  'adoptWriteStream()': async (fd) => await destroyed(adoptWriteStream(fd)),
  'UnixDatagram.adopt()': async (fd) => await UnixDatagram.adopt(fd).close(),
  'UnixSeqpacket.adopt()': async (fd) => await UnixSeqpacket.adopt(fd).close(),
  'UnixSeqpacketServer.adopt()': async (fd) => await UnixSeqpacketServer.adopt(fd).close(),
};

// O_PATH of include/uapi/asm-generic/fcntl.h.
const O_PATH = 0o10000000;

function file(flags: number): (t: TestContext) => Fd {
  return (t) => {
    const name = path.join(tmpDir(t), 'file');
    writeFileSync(name, 'text');
    return Fd.adopt(openSync(name, flags));
  };
}

function unixListener(type: number): Fd {
  const fd = Fd.own(binding.openSocket(type));
  binding.bind(fd.fd, Buffer.from(`\0${freshName()}`));
  binding.listen(fd.fd, 1);
  return fd;
}

function oneOfPair(type: number): Fd {
  const [one, other] = binding.openPair(type).map(Fd.own) as [Fd, Fd];
  other.close();
  return one;
}

/** A server's end of it; the client is gone. */
async function tcpConnection(): Promise<Fd> {
  const server = net.createServer({ pauseOnConnect: true }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  const connection = once(server, 'connection') as Promise<[net.Socket]>;
  const client = net.connect((server.address() as net.AddressInfo).port, '127.0.0.1');
  const [socket] = await connection;
  const fd = Fd.dup(socket);
  socket.destroy();
  server.close();
  client.destroy();
  await once(server, 'close');
  return fd;
}

/** Node itself has some; nothing in it opens one on request. */
function eventfd(): Fd {
  const isOne = (number: string): boolean => {
    try {
      return readlinkSync(`/proc/self/fd/${number}`) === 'anon_inode:[eventfd]';
    } catch {
      return false; // the descriptor of the folder
    }
  };
  return Fd.dup(Number(readdirSync('/proc/self/fd').find(isOne)));
}

interface Sort {
  open(t: TestContext): Fd | Promise<Fd>;
  /** As errors call it. */
  called: RegExp;
  takenBy: string[];
  advice?: RegExp;
}

const sorts: Record<string, Sort> = {
  'a TCP listener': {
    open: () => Fd.own(binding.listenTcp('127.0.0.1', 0, 1, false, false)),
    called: /a listening TCP socket on 127\.0\.0\.1:\d+:/,
    takenBy: ['adoptServer()'],
  },
  'a TCP connection': { open: tcpConnection, called: /a TCP socket on /, takenBy: ['adoptSocket()'] },
  'a UDP socket': {
    open: () => Fd.own(binding.bindUdp('127.0.0.1', 0, false, false)),
    called: /a UDP socket on /,
    takenBy: ['adoptUdp()'],
  },
  'a unix stream listener': {
    open: () => unixListener(SOCK_STREAM),
    called: /a listening unix stream socket on @fdpass-test-/,
    takenBy: ['adoptServer()'],
  },
  'a unix stream connection': {
    open: () => oneOfPair(SOCK_STREAM),
    called: /a unix stream socket on /,
    takenBy: ['adoptSocket()'],
  },
  'a unix datagram socket': {
    open: () => Fd.own(binding.openSocket(SOCK_DGRAM)),
    called: /a unix dgram socket/,
    takenBy: ['UnixDatagram.adopt()'],
  },
  'a seqpacket connection': {
    open: () => oneOfPair(SOCK_SEQPACKET),
    called: /a unix seqpacket socket/,
    takenBy: ['UnixSeqpacket.adopt()'],
  },
  'a seqpacket listener': {
    open: () => unixListener(SOCK_SEQPACKET),
    called: /a listening unix seqpacket socket/,
    takenBy: ['UnixSeqpacketServer.adopt()'],
  },
  'the reading end of a pipe': {
    open: (t) => Fd.dup(openPipe(t).reader),
    called: /a pipe open for reading only:/,
    takenBy: ['adoptSocket()'],
  },
  'the writing end of a pipe': {
    open: (t) => Fd.dup(openPipe(t).writer),
    called: /a pipe open for writing only:/,
    takenBy: ['adoptSocket()'],
  },
  'a file to read': {
    open: file(constants.O_RDONLY),
    called: /a file open for reading only:/,
    takenBy: ['adoptReadStream()'],
  },
  'a file to write': {
    open: file(constants.O_WRONLY),
    called: /a file open for writing only:/,
    takenBy: ['adoptWriteStream()'],
  },
  'a file to read and write': {
    open: file(constants.O_RDWR),
    called: /a file:/,
    takenBy: ['adoptReadStream()', 'adoptWriteStream()'],
  },
  'a file opened with O_PATH': {
    open: file(O_PATH),
    called: /a file opened with O_PATH:/,
    takenBy: [],
    advice: /no object of Node takes it/,
  },
  'a character device': {
    open: () => Fd.adopt(openSync('/dev/null', 'r+')),
    called: /a character device:/,
    takenBy: ['adoptReadStream()', 'adoptWriteStream()'],
  },
  'a directory': {
    open: () => Fd.adopt(openSync('/', constants.O_RDONLY)),
    called: /a directory:/,
    takenBy: [],
    advice: /node:fs reaches what is in it as \/proc\/self\/fd\/\d+\//,
  },
  'a namespace, which is a regular file to fstat()': {
    open: () => Fd.adopt(openSync('/proc/self/ns/net', constants.O_RDONLY)),
    called: /a kernel object \(net:\[\d+\]\):/,
    takenBy: [],
    advice: /no object of Node takes it/,
  },
  'an eventfd': {
    open: eventfd,
    called: /a kernel object \(anon_inode:\[eventfd\]\):/,
    takenBy: [],
    advice: /no object of Node takes it/,
  },
};

for (const [sort, { open, called, takenBy, advice }] of Object.entries(sorts)) {
  test(`${sort} goes to ${takenBy.join(' and ') || 'nobody'}; the others name it, advise, and leave it whole`, async (t) => {
    for (const [name, adopt] of Object.entries(functions)) {
      const fd = await open(t);
      if (takenBy.includes(name)) {
        await adopt(fd);
        assert.equal(fd.fd, -1, name);
        continue;
      }
      await assert.rejects(adopt(fd), (error: NodeJS.ErrnoException) => {
        assert.equal(error.code, 'ERR_FDPASS_WRONG_KIND', name);
        assert.match(error.message, /^expected .+; descriptor \d+ is /);
        assert.match(error.message, called);
        for (const taker of takenBy) assert.ok(error.message.includes(taker), error.message);
        if (advice !== undefined) assert.match(error.message, advice);
        return true;
      });
      assert.notEqual(fd.fd, -1, name);
      fd.close();
    }
  });
}

test('a bare number is refused by all, and how to own it is said', async () => {
  for (const adopt of Object.values(functions)) {
    await assert.rejects(adopt(0 as unknown as Fd), {
      code: 'ERR_INVALID_ARG_TYPE',
      message: /Fd\.adopt\(\)/,
    });
  }
});

test('a class that has no constructor of its own names what makes it', () => {
  for (const Class of [UnixStream, RawSocket] as unknown as (new (
    ...args: unknown[]
  ) => unknown)[]) {
    for (const args of [[], ['dgram'], [{ maxFds: 1 }]]) {
      assert.throws(() => new Class(...args), {
        code: 'ERR_INVALID_ARG_TYPE',
        message: new RegExp(`\\(make a ${Class.name} with ${Class.name}\\.\\w+\\(\\), .*adopt\\(\\)\\)$`),
      });
    }
  }
});

test('constructors that only the types hide refuse what is no Fd, and nothing aborts', () => {
  for (const Class of [UnixStream, RawSocket, UnixDatagram, UnixSeqpacket] as unknown as (new (
    ...args: unknown[]
  ) => unknown)[]) {
    for (const args of [
      ['/run/x', {}, true],
      [5, {}, true],
      [{ fd: 5 }, {}, true],
    ]) {
      assert.throws(() => new Class(...args), TypeError);
    }
  }
});
