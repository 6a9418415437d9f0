// This package: its sockets with events or an iterator, and each way to send.
import { once } from 'node:events';
import { openSync } from 'node:fs';

import {
  Fd,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
  UnixServer,
  UnixStream,
} from '../../dist/index.js';
import { byAwaiting, byWriting, inBatches, untilRefused } from '../programs/node/flood.mjs';
import { intoBuffer } from '../programs/node/into-buffer.mjs';

const packets = ['dgram', 'seqpacket'];
const oneWay = (kinds, only) => ({ does: { oneway: kinds }, not: ({ fds }) => fds > 0, ...only });

export const contenders = [
  {
    name: 'fdpass',
    title: 'fdpass',
    module: '..',
    does: {
      pingpong: [...packets, 'stream'],
      oneway: [...packets, 'stream'],
      connect: ['stream', 'seqpacket'],
      sockets: ['seqpacket'],
      queued: ['seqpacket'],
      import: ['none'],
    },
    ...using({ flood: untilDrain }),
  },
  {
    name: 'fdpass-many',
    title: 'fdpass, sendMany()',
    differsAs: 'sender',
    ...oneWay(['dgram'], using({ flood: (socket, to) => inBatches((all) => socket.sendMany(all, to)) })),
  },
  {
    name: 'fdpass-send',
    title: 'fdpass, await send()',
    differsAs: 'sender',
    ...oneWay(packets, using({ flood: (socket, to) => byAwaiting((bytes) => socket.send(bytes, to)) })),
  },
  {
    name: 'fdpass-iterate',
    title: 'fdpass, for await',
    ...oneWay(packets, using({ flood: untilDrain, iterate: true })),
  },
  {
    name: 'fdpass-sndbuf',
    title: 'fdpass, sendBufferSize 212992',
    differsAs: 'sender',
    ...oneWay(['stream', ...packets], using({ flood: untilDrain, sendBufferSize: 212992 })),
    not: ({ size, fds }) => size < 65536 || fds > 0,
  },
  {
    name: 'fdpass-lend',
    title: 'fdpass, lendData',
    ...oneWay(packets, using({ flood: untilDrain, lendData: true })),
    not: ({ size, fds }) => size < 1024 || fds > 0,
  },
  {
    name: 'fdpass-lend-sndbuf',
    title: 'fdpass, lendData, sendBufferSize 212992',
    ...oneWay(packets, using({ flood: untilDrain, lendData: true, sendBufferSize: 212992 })),
    not: ({ size, fds }) => size < 65536 || fds > 0,
  },
  {
    name: 'fdpass-onread',
    title: 'fdpass, onread buffer',
    onlyWithItself: true,
    ...oneWay(['stream'], intoBuffer({ listen: listenForStreams, connect: UnixStream.connect })),
  },
];

function using(way) {
  return {
    serve: (link, on) => (link.kind === 'dgram' ? serveDatagram(link, on, way) : serve(link, on, way)),
    connect: (link, on) => connect(link, on, way),
    acceptAndClose,
    visit,
  };
}

function untilDrain(socket, to, options) {
  // On a seqpacket socket the second argument is the options.
  const send =
    socket instanceof UnixDatagram
      ? (bytes) => socket.trySend(bytes, to, options)
      : (bytes) => socket.trySend(bytes, options);
  return untilRefused(send, (retry) => socket.once('drain', retry));
}

async function serveDatagram(link, on, way) {
  const socket = new UnixDatagram(socketOptions(link, way)).bind(link.address);
  let answering = false;
  take(socket, way, (message) => {
    // Only an address answers; a connected socket is faster.
    const reply = (data) => {
      if (!answering) socket.connect(message.from);
      answering = true;
      socket.trySend(data);
    };
    deliver(message, on, reply);
  });
  return link.address;
}

async function serve(link, on, way) {
  const { maxFds } = socketOptions(link, way);
  const server =
    link.kind === 'stream' ? new UnixServer({ maxFds }) : new UnixSeqpacketServer(socketOptions(link, way));
  server.on('connection', (socket) => {
    on.open?.();
    socket.once('end', on.end).on('error', on.end);
    if (link.kind === 'stream') {
      const reply = (data) => socket.write(data);
      socket.on('data', (data) => on.message(data, 0, reply));
    } else {
      const reply = (data) => socket.trySend(data);
      take(socket, way, (message) => deliver(message, on, reply));
    }
  });
  server.listen(link.address);
  return link.address;
}

function socketOptions({ fds = 0 }, { lendData = false }) {
  return { maxFds: fds, lendData };
}

async function listenForStreams(path, onConnection) {
  new UnixServer().on('connection', onConnection).listen(path);
}

function deliver(message, on, reply) {
  const count = message.fds.length;
  Fd.closeAll(message.fds);
  on.message(message.data, count, reply);
}

async function take(socket, { iterate }, onMessage) {
  if (!iterate) socket.on('message', onMessage);
  else for await (const message of socket) onMessage(message);
}

async function connect(link, on, way) {
  if (link.kind === 'stream') return connectStream(link, on, way);
  const isDatagram = link.kind === 'dgram';
  const socket = isDatagram ? new UnixDatagram() : new UnixSeqpacket();
  if (isDatagram && link.pattern === 'pingpong') socket.bind(`${link.address}.client`);
  if (link.unconnected !== 1) socket.connect(link.address);
  if (way.sendBufferSize !== undefined) socket.setSendBufferSize(way.sendBufferSize);
  if (link.pattern !== 'oneway') socket.on('message', (message) => on.message(message.data));
  const to = link.unconnected === 1 ? link.address : undefined;
  return {
    send: (data) => socket.trySend(data),
    queue: (data) => void socket.send(data).catch(fail),
    flood: way.flood(socket, to, attachment(link)),
    end: () => socket.close(),
  };
}

function attachment({ fds }) {
  if (fds === 0) return undefined;
  return { fds: Array(fds).fill(openSync('/dev/null')) };
}

async function connectStream(link, on, { sendBufferSize }) {
  const socket = UnixStream.connect(link.address, sendBufferSize === undefined ? {} : { sendBufferSize });
  socket.on('data', on.message);
  await once(socket, 'connect');
  return {
    send: (data) => socket.write(data),
    flood: byWriting(socket),
    end: () => new Promise((resolve) => socket.end(resolve)),
  };
}

async function acceptAndClose(link, onAccepted) {
  const server = link.kind === 'stream' ? new UnixServer() : new UnixSeqpacketServer();
  server.on('connection', (socket) => {
    if (link.kind === 'stream') socket.destroy();
    else void socket.close();
    onAccepted();
  });
  server.listen(link.address);
  return link.address;
}

async function visit(link) {
  if (link.kind === 'stream') {
    const socket = UnixStream.connect(link.address).resume();
    await once(socket, 'close');
  } else {
    const socket = new UnixSeqpacket().connect(link.address).on('message', () => {});
    await once(socket, 'close');
  }
}

function fail(error) {
  throw error;
}
