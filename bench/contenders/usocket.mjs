// usocket: streams that pass descriptors, by a native addon. It takes at most 64 with a message and loses the others.
import { closeSync, openSync } from 'node:fs';

import { byCallback } from '../programs/node/flood.mjs';

export const contenders = [
  {
    name: 'usocket',
    title: 'usocket',
    peer: 'usocket',
    module: 'usocket',
    does: { pingpong: ['stream'], oneway: ['stream'], import: ['none'] },
    serve,
    connect,
  },
];

const usocket = async () => (await import('usocket')).default;

async function serve({ address, fds }, on) {
  const { UServer } = await usocket();
  const server = new UServer();
  server.on('connection', (socket) => {
    const reply = (data) => socket.write(data);
    if (fds > 0) {
      socket.on('fds', (received) => {
        for (const fd of received) closeSync(fd);
        on.message(undefined, received.length, reply);
      });
      socket.resume();
    } else {
      socket.on('data', (data) => on.message(data, 0, reply));
    }
    socket.once('end', on.end).on('error', on.end);
  });
  await new Promise((resolve) => server.listen(address, resolve));
  return address;
}

async function connect({ address, fds }, on) {
  const { USocket } = await usocket();
  const socket = await new Promise((resolve) => {
    const opening = new USocket(address, () => resolve(opening));
  });
  socket.on('data', on.message);
  const lent = fds === 0 ? undefined : Array(fds).fill(openSync('/dev/null'));
  return {
    send: (data) => socket.write(data),
    flood: byCallback((data, done) => socket.write({ data, fds: lent }, null, done)),
    end: () => socket.end(),
  };
}
