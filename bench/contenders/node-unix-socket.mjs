// node-unix-socket: datagram and seqpacket sockets by an addon in Rust. Its datagram sockets do not connect.
import { byCallback } from '../programs/node/flood.mjs';

export const contenders = [
  {
    name: 'node-unix-socket',
    title: 'node-unix-socket',
    peer: 'node-unix-socket',
    module: 'node-unix-socket',
    does: {
      pingpong: ['dgram', 'seqpacket'],
      oneway: ['dgram', 'seqpacket'],
      connect: ['seqpacket'],
      sockets: ['seqpacket'],
      queued: ['seqpacket'],
      import: ['none'],
    },
    not: ({ fds }) => fds > 0,
    serve: (link, on) => (link.kind === 'dgram' ? serveDatagram(link, on) : serveSeqpacket(link, on)),
    connect: (link, on) => (link.kind === 'dgram' ? connectDatagram(link, on) : connectSeqpacket(link, on)),
    acceptAndClose,
    visit,
  },
];

const addon = async () => (await import('node-unix-socket')).default;

async function serveDatagram({ address }, on) {
  const { DgramSocket } = await addon();
  const socket = new DgramSocket();
  socket.bind(address);
  socket.on('data', (data, path) => {
    on.message(data, 0, (answer) => socket.sendTo(answer, 0, answer.length, path, fail));
  });
  return address;
}

async function connectDatagram({ address, pattern }, on) {
  const { DgramSocket } = await addon();
  const socket = new DgramSocket();
  if (pattern === 'pingpong') socket.bind(`${address}.client`);
  socket.on('data', on.message);
  return {
    send: (data) => socket.sendTo(data, 0, data.length, address, fail),
    flood: byCallback((data, done) => socket.sendTo(data, 0, data.length, address, done)),
    end() {}, // close() of a datagram socket that was full may abort the process: "double free"
  };
}

async function listen({ address }, onConnection) {
  const { SeqpacketServer } = await addon();
  const server = new SeqpacketServer();
  server.on('connection', onConnection);
  server.listen(address);
  return address;
}

function serveSeqpacket(link, on) {
  return listen(link, (socket) => {
    on.open?.();
    const reply = (data) => socket.write(data);
    socket.on('data', (data) => on.message(data, 0, reply));
    socket.on('end', on.end).on('error', on.end);
  });
}

async function connectSeqpacket({ address }, on) {
  const { SeqpacketSocket } = await addon();
  const socket = new SeqpacketSocket();
  socket.on('data', on.message);
  await new Promise((resolve) => socket.connect(address, resolve));
  return {
    send: (data) => socket.write(data),
    queue: (data) => socket.write(data, 0, data.length, fail),
    flood: byCallback((data, done) => socket.write(data, 0, data.length, done)),
    end: () => new Promise((resolve) => socket.end(resolve)),
  };
}

function acceptAndClose(link, onAccepted) {
  return listen(link, (socket) => {
    socket.destroy();
    onAccepted();
  });
}

async function visit({ address }) {
  const { SeqpacketSocket } = await addon();
  const socket = new SeqpacketSocket();
  const ended = new Promise((resolve) => socket.on('end', resolve).on('error', resolve));
  socket.connect(address);
  await ended;
  socket.destroy();
}

function fail(error) {
  if (error) throw error;
}
