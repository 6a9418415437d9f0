// unix-dgram: datagrams by a native addon. It drops a message that does not fit and says so: then it goes again.
import { untilRefused } from '../programs/node/flood.mjs';

/** The error code of a connected socket whose peer is full; 'writable' follows. */
const kCongestion = 1;
/** It receives into 64 KiB. */
const kLongest = 65536;

export const contenders = [
  {
    name: 'unix-dgram',
    title: 'unix-dgram',
    peer: 'unix-dgram',
    module: 'unix-dgram',
    does: { pingpong: ['dgram'], oneway: ['dgram'], import: ['none'] },
    not: ({ fds, size, unconnected }) => fds > 0 || size > kLongest || unconnected === 1,
    serve,
    connect,
  },
];

async function open() {
  const { default: unixDgram } = await import('unix-dgram');
  return unixDgram.createSocket('unix_dgram');
}

async function serve({ address }, on) {
  const socket = await open();
  let connected = false;
  socket.on('message', (data, { path }) => {
    on.message(data, 0, (answer) => {
      if (!connected) socket.connect(path);
      connected = true;
      socket.send(answer);
    });
  });
  socket.bind(address);
  return address;
}

async function connect({ address, pattern }, on) {
  const socket = await open();
  socket.on('message', on.message);
  if (pattern === 'pingpong') socket.bind(`${address}.client`);
  socket.connect(address);
  let refused = false;
  const settle = (error) => {
    if (error && error.code !== kCongestion) throw error;
    refused = error !== undefined;
  };
  const trySend = (data) => {
    socket.send(data, settle); // calls back before it returns
    return !refused;
  };
  return {
    send: trySend,
    flood: untilRefused(trySend, (retry) => socket.once('writable', retry)),
    end: () => socket.close(),
  };
}
