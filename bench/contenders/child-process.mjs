// Node's own way to pass descriptors: child_process.send() with a handle. The sender starts the receiver.
import { fork } from 'node:child_process';
import { once } from 'node:events';
import net from 'node:net';

import { byCallback } from '../programs/node/flood.mjs';

export const contenders = [
  {
    name: 'child-process',
    title: 'child_process.send()',
    does: { pingpong: ['ipc'], oneway: ['ipc'] },
    not: ({ fds }) => fds > 1,
    senderStartsReceiver: true,
    serve,
    connect,
  },
];

async function serve(_link, on) {
  const reply = (data) => process.send(data);
  process.on('message', (data, handle) => {
    handle?.destroy();
    on.message(data, handle === undefined ? 0 : 1, reply);
  });
  process.once('disconnect', on.end);
  process.send('ready');
  return 'ipc';
}

async function connect(link, on) {
  const args = process.argv.slice(2).map((word) => (word === 'role=sender' ? 'role=receiver' : word));
  const pinned = link.receiverCpu === undefined ? [] : ['-c', `${link.receiverCpu}`, process.execPath];
  const child = fork(process.argv[1], args, {
    serialization: 'advanced', // Buffers stay Buffers
    stdio: ['pipe', 'inherit', 'inherit', 'ipc'],
    ...(pinned.length === 0 ? {} : { execPath: 'taskset', execArgv: [...pinned, ...process.execArgv] }),
  });
  await once(child, 'message');
  child.on('message', on.message);
  const ended = once(child, 'exit');
  const socket = link.fds === 0 ? undefined : await connectedSocket();
  return {
    send: (data) => child.send(data),
    // `keepOpen`, else the socket is gone after the first message.
    flood: byCallback((data, done) => child.send(data, socket, { keepOpen: true }, done)),
    end: async () => {
      child.disconnect();
      child.stdin.end();
      await ended;
    },
  };
}

async function connectedSocket() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const socket = net.connect(server.address().port, '127.0.0.1');
  await once(socket, 'connect');
  return socket;
}
