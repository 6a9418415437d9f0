// Node's own datagrams: UDP over loopback, which loses what does not fit.
import dgram from 'node:dgram';
import { once } from 'node:events';

import { byCallback } from '../programs/node/flood.mjs';

/** The longest payload of UDP over IPv4. */
const kLongest = 65507;

export const contenders = [
  {
    name: 'udp',
    title: 'Node dgram, UDP',
    does: { pingpong: ['udp'], oneway: ['udp'] },
    not: ({ size }) => size > kLongest,
    serve,
    connect,
  },
];

async function serve(_link, on) {
  const socket = dgram.createSocket('udp4');
  socket.on('message', (data, { port, address }) => {
    on.message(data, 0, (answer) => socket.send(answer, port, address));
  });
  socket.bind(0, '127.0.0.1');
  await once(socket, 'listening');
  return `127.0.0.1:${socket.address().port}`;
}

async function connect({ address }, on) {
  const [host, port] = address.split(':');
  const socket = dgram.createSocket('udp4', on.message);
  socket.connect(Number(port), host);
  await once(socket, 'connect');
  return {
    send: (data) => socket.send(data),
    flood: byCallback((data, done) => socket.send(data, done)),
    end: () => socket.close(),
  };
}
