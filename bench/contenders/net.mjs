// Node's own streams: node:net over a unix socket and over TCP.
import { once } from 'node:events';
import net from 'node:net';

import { byWriting } from '../programs/node/flood.mjs';
import { intoBuffer } from '../programs/node/into-buffer.mjs';

const does = (kind) => ({ pingpong: [kind], oneway: [kind] });
const shared = { serve, connect, acceptAndClose, visit };

export const contenders = [
  {
    name: 'net',
    title: 'Node net',
    does: { ...does('stream'), connect: ['stream'], sockets: ['stream'], queued: ['stream'] },
    not: ({ fds }) => fds > 0,
    ...shared,
  },
  { name: 'net-tcp', title: 'Node net, TCP', does: does('tcp'), ...shared },
  {
    name: 'net-onread',
    title: 'Node net, onread buffer',
    onlyWithItself: true,
    does: { oneway: ['stream'] },
    not: ({ fds }) => fds > 0,
    ...intoBuffer({
      listen: (path, onConnection) =>
        listen(net.createServer(onConnection), { kind: 'stream', address: path }),
      connect: (path, options) => net.connect({ path, ...options }),
    }),
  },
];

function place({ kind, address }) {
  if (kind === 'stream') return { path: address };
  const [host, port] = address.split(':');
  return { host, port: Number(port), noDelay: true };
}

async function listen(server, link) {
  server.listen(link.kind === 'stream' ? { path: link.address } : { port: 0, host: '127.0.0.1' });
  await once(server, 'listening');
  return link.kind === 'stream' ? link.address : `127.0.0.1:${server.address().port}`;
}

function serve(link, on) {
  const server = net.createServer({ noDelay: link.kind === 'tcp' }, (socket) => {
    on.open?.();
    const reply = (data) => socket.write(data);
    socket.on('data', (data) => on.message(data, 0, reply));
    socket.once('end', on.end).on('error', on.end);
  });
  return listen(server, link);
}

async function connect(link, on) {
  const socket = net.connect(place(link));
  socket.on('data', on.message);
  await once(socket, 'connect');
  return connection(socket);
}

function connection(socket) {
  return {
    send: (data) => socket.write(data),
    queue: (data) => socket.write(data),
    flood: byWriting(socket),
    end: () => new Promise((resolve) => socket.end(resolve)),
  };
}

function acceptAndClose(link, onAccepted) {
  const server = net.createServer((socket) => {
    socket.destroy();
    onAccepted();
  });
  return listen(server, link);
}

async function visit(link) {
  await once(net.connect(place(link)).resume(), 'close');
}
