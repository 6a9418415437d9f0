// What any addon pays: readiness from Node's loop and one callback, with nothing owned, checked or told.
import { once } from 'node:events';
import { createRequire } from 'node:module';

import { Fd, UnixSeqpacket, UnixSeqpacketServer } from '../../dist/index.js';
import { compileAddon } from '../lib/addon.mjs';
import { fromBench } from '../lib/place.mjs';
import { nodeProgram } from '../lib/programs.mjs';

const kAddon = fromBench('build/least.node');
const kName = 'least-addon';

export const contenders = [
  {
    name: kName,
    title: 'least of an addon',
    does: { pingpong: ['seqpacket'] },
    program: {
      ...nodeProgram(import.meta.filename, kName),
      prepare: () => compileAddon('programs/addon/least.c', kAddon),
    },
    serve,
    connect,
  },
];

async function serve({ address, size }, on) {
  const server = new UnixSeqpacketServer().listen(address);
  server.once('connection', (accepted) => {
    const { send } = use(accepted, size, (data) => (data.length > 0 ? on.message(data, 0, send) : on.end()));
  });
  return address;
}

async function connect({ address, size }, on) {
  const socket = new UnixSeqpacket().connect(address);
  await once(socket, 'connect');
  return { ...use(socket, size, on.message), end() {} };
}

// The descriptor alone is what is measured.
function use(socket, size, onMessage) {
  const { watch, send } = createRequire(import.meta.url)(kAddon);
  const fd = Fd.dup(socket).detach();
  void socket.close();
  const buffer = Buffer.alloc(size);
  watch(fd, buffer, (bytes) => onMessage(buffer.subarray(0, bytes)));
  return { send: (data) => send(fd, data) };
}
