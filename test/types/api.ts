// The types of the public API, checked by the compiler alone: what must be accepted and what must not.
import type dgram from 'node:dgram';
import type fs from 'node:fs';
import type http from 'node:http';
import type http2 from 'node:http2';
import type https from 'node:https';
import type net from 'node:net';
import type { Duplex } from 'node:stream';
import {
  type AddressLike,
  adoptServer,
  adoptSocket,
  adoptUdp,
  type Credentials,
  createHandoff,
  type DrainReceipt,
  Fd,
  type FdInfo,
  type FdLike,
  FdpassError,
  type FdsInfo,
  type Handoff,
  type isSupported,
  type Message,
  type Receipt,
  type SystemError,
  UnixAddress,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixServer,
  UnixStream,
} from 'fdpass';
import { MSG, POLL, type RawMessage, RawSocket, SO, SOL_SOCKET } from 'fdpass/raw';

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function same<A, B>(proof: Equal<A, B>): void;

declare const server: net.Server;
declare const socket: net.Socket;
declare const udp: dgram.Socket;
declare const handle: fs.promises.FileHandle;
declare const fd: Fd;

/** Never called. */
export async function addresses(): Promise<void> {
  [
    '@name',
    './@name',
    Buffer.alloc(1),
    new Uint8Array(1),
    new URL('file:///a'),
    UnixAddress.unnamed,
  ] satisfies AddressLike[];
  // @ts-expect-error: no number is an address
  5 satisfies AddressLike;
  // @ts-expect-error: an address is made by path(), abstract() and from()
  new UnixAddress(Buffer.alloc(0));
  same<UnixAddress['kind'], 'path' | 'abstract' | 'unnamed'>(true);
  // @ts-expect-error: an address cannot be changed
  UnixAddress.unnamed.kind = 'path';
  // @ts-expect-error: padding is asked for by name
  UnixAddress.abstract('a', true);
}

export async function descriptors(): Promise<void> {
  [0, server, socket, udp, handle, fd, new UnixDatagram(), { fd: 3 }] satisfies FdLike[];
  // @ts-expect-error: text is no descriptor
  '3' satisfies FdLike;
  // @ts-expect-error: an Fd is made by adopt() and dup()
  new Fd(3);
  // @ts-expect-error: the number is read only
  fd.fd = 3;
  // @ts-expect-error: what is adopted is consumed, which a lent FdLike cannot be
  Fd.adopt(server);
  fd satisfies Disposable;
  same<FdInfo['kind'], 'socket' | 'file' | 'directory' | 'pipe' | 'character' | 'block' | 'anonymous'>(true);
  same<FdInfo['type'], 'stream' | 'dgram' | 'seqpacket' | undefined>(true);
  same<FdInfo['inode'], bigint>(true);
  same<typeof isSupported, boolean>(true);
}

export async function adopting(web: http.Server, tls: https.Server, two: http2.Http2Server): Promise<void> {
  same<Awaited<ReturnType<typeof adoptServer<http.Server>>>, http.Server>(true);
  (await adoptServer(web, fd)) satisfies http.Server;
  (await adoptServer(tls, fd, { backlog: 5 })) satisfies https.Server;
  (await adoptServer(two, fd)) satisfies http2.Http2Server;
  // @ts-expect-error: a number is not consumed, adopt it as an Fd first
  await adoptServer(web, 3);
  // @ts-expect-error: there is no such option
  await adoptServer(web, fd, { backLog: 5 });
  adoptSocket(fd, { pauseOnCreate: true }) satisfies net.Socket;
  (await adoptUdp(fd)) satisfies dgram.Socket;
}

export async function datagrams(datagram: UnixDatagram): Promise<void> {
  new UnixDatagram({
    maxFds: 1,
    maxBytes: 1,
    credentials: true,
    pidFd: true,
    highWaterMark: 5,
    signal: AbortSignal.abort(),
  }) satisfies UnixDatagram;
  UnixDatagram.pair() satisfies [UnixDatagram, UnixDatagram];
  same<Awaited<ReturnType<UnixDatagram['receive']>>, Message>(true);
  same<ReturnType<UnixDatagram['trySend']>, boolean>(true);
  await datagram.send('x', '@name', { fds: [server, 3], timeout: 5, signal: new AbortController().signal });
  await datagram.sendMany(['x', Buffer.alloc(1)], UnixAddress.unnamed);
  datagram.bind('@a', { mode: 0o600, replaceStale: true, unlinkOnClose: false }).connect('@b').ref().unref();
  for await (const { data, fds } of datagram) [data, fds] satisfies [Buffer, Fd[]];
  datagram satisfies AsyncDisposable;
  // @ts-expect-error: trySend() never waits
  datagram.trySend('x', '@name', { timeout: 5 });
  // @ts-expect-error: descriptors come in a list
  datagram.trySend('x', '@name', { fds: 3 });
  // @ts-expect-error: numbers are not bytes
  await datagram.send(5);
  // @ts-expect-error: a datagram socket has no end
  datagram.end();
}

export async function connections(connection: UnixSeqpacket): Promise<void> {
  same<Awaited<ReturnType<UnixSeqpacket['receive']>>, Message | null>(true);
  UnixSeqpacket.pair({ allowHalfOpen: true }) satisfies [UnixSeqpacket, UnixSeqpacket];
  await connection.send('x', { fds: [fd] });
  // @ts-expect-error: a connection has one destination
  await connection.send('x', '@name');
  // @ts-expect-error: the end has to be looked for
  (await connection.receive()).data;
  for await (const message of connection) message satisfies Message;
  connection.peerCredentials satisfies Credentials;
  connection.peerPidFd() satisfies Fd;
  new UnixSeqpacketServer({ maxFds: 1 }).listen('@a', {
    backlog: 1,
    mode: 0o600,
  }) satisfies UnixSeqpacketServer;
  // @ts-expect-error: a server is given an address
  new UnixSeqpacketServer().listen();
}

export async function streams(stream: UnixStream): Promise<void> {
  stream satisfies Duplex;
  stream satisfies NodeJS.ReadWriteStream;
  stream satisfies FdLike;
  UnixStream.connect('@a', { maxFds: 1, timeout: 5, localAddress: './b' }) satisfies UnixStream;
  UnixStream.pair({ allowHalfOpen: true, highWaterMark: 1 }) satisfies [UnixStream, UnixStream];
  // @ts-expect-error: a stream is made by connect(), pair() and adopt()
  new UnixStream();
  same<Awaited<ReturnType<UnixStream['send']>>, void>(true);
  await stream.send('x', { fds: [fd], credentials: stream.peerCredentials, timeout: 5 });
  stream.on('fds', (fds, info) => [fds, info] satisfies [Fd[], FdsInfo]);
  stream.once('credentials', ({ pid }) => pid satisfies number);
  stream.on('data', (chunk: Buffer) => chunk).on('close', () => {});
  new UnixServer({ maxFds: 1 })
    .on('connection', (connection) => connection satisfies UnixStream)
    .listen('@a');
  // @ts-expect-error: there is no such option
  UnixStream.pair({ maxFd: 1 });
}

export function raw(socket: RawSocket): void {
  RawSocket.open('dgram').bind().connect('@a') satisfies RawSocket;
  // @ts-expect-error: there is no such type of socket
  RawSocket.open('raw');
  same<ReturnType<RawSocket['send']>, number>(true);
  socket.receive({
    buffers: [Buffer.alloc(1)],
    controlBytes: 64,
    flags: MSG.PEEK | MSG.TRUNC,
  }) satisfies RawMessage;
  same<RawSocket['cookie'], bigint>(true);
  socket.setOption(SOL_SOCKET, SO.PASSCRED, 1);
  socket.poll(POLL.IN) satisfies number;
  socket satisfies Disposable & FdLike;
}

export async function handoffs(server: http.Server): Promise<void> {
  const handoff = await createHandoff({
    name: 'shop',
    allow: [1000],
    timeouts: { drain: 1, hurry: 1, ping: 1 },
    probation: { ms: 0, interval: 5, health: async () => true },
  });
  (await handoff.listen('http', server, { port: 0 })) satisfies http.Server;
  await handoff.fail('no database');
  (await handoff.bindUdp('dns', { port: 53, type: 'udp6' })) satisfies dgram.Socket;
  (await handoff.bindDatagram('log', '/run/log', { mode: 0o600, maxFds: 1 })) satisfies UnixDatagram;
  handoff.put('file', handle);
  same<ReturnType<Handoff['take']>, Fd | undefined>(true);
  same<Awaited<ReturnType<Handoff['upgrade']>>, Receipt>(true);
  same<Awaited<Handoff['superseded']>, Receipt>(true);
  same<Handoff['receipt'], Receipt | undefined>(true);
  same<Receipt['drain'], DrainReceipt | undefined>(true);
  handoff.on('settled', (receipt) => receipt satisfies Receipt);
  handoff.on('rolledback', (error) => error satisfies Error);
  // @ts-expect-error: a check says yes or no
  await createHandoff({ name: 'shop', probation: { health: () => 'well' } });
  // @ts-expect-error: there is no such event
  handoff.on('rolledBack', () => {});
}

export function errors(error: SystemError, ours: FdpassError): void {
  [error.code, error.errno, error.syscall, error.address] satisfies [
    string,
    number,
    string,
    string | undefined,
  ];
  ours.code satisfies string;
  ours satisfies Error;
  // @ts-expect-error: the codes begin with ERR_
  new FdpassError('OTHER', 'text');
}

export function messages(message: Message): void {
  same<Message['credentials'], Credentials | undefined>(true);
  same<Message['pidFd'], Fd | undefined>(true);
  [message.truncated, message.fdsDropped] satisfies boolean[];
  message.size satisfies number;
  message.from satisfies UnixAddress;
}
