// The table of steps. `make(addon)` prepares one and returns a function that does it so many times; it may return a promise.
import { EventEmitter } from 'node:events';

import { UnixDatagram, UnixSeqpacket } from '../../dist/index.js';

const kMessage = 128;
const kBatch = 32;
const kPool = 256 * 1024;

/** Repeats what one call does once. */
const repeat = (once) => (times) => {
  for (let i = 0; i < times; i++) once(i);
};

export const steps = [
  { name: 'call', title: 'call into the addon', make: (addon) => repeat(() => addon.nothing()) },
  {
    name: 'call-5',
    title: 'call with five arguments, one of them a Buffer',
    make: (addon) => {
      const bytes = Buffer.alloc(kMessage);
      return repeat((i) => addon.fiveArguments(1, i, bytes, undefined, undefined));
    },
  },
  {
    name: 'call-function',
    title: 'call out of the addon: napi_call_function',
    make: (addon) => (times) => addon.callFunction(() => {}, times),
  },
  {
    name: 'make-callback',
    title: 'call out of the addon: napi_make_callback',
    make: (addon) => (times) => addon.makeCallback(() => {}, times),
  },
  {
    name: 'native-buffer',
    title: 'Buffer of 128 B made in native code',
    make: (addon) => repeat(() => addon.copiedBuffer()),
  },
  {
    name: 'pooled-buffer',
    title: 'Buffer.allocUnsafe(128) and copy()',
    make: () => {
      const slab = Buffer.alloc(kMessage * kBatch);
      return repeat((i) => {
        const at = (i % kBatch) * kMessage;
        slab.copy(Buffer.allocUnsafe(kMessage), 0, at, at + kMessage);
      });
    },
  },
  {
    name: 'subarray',
    title: 'subarray() of a chunk',
    make: () => {
      const chunk = Buffer.alloc(kPool);
      return repeat((i) => chunk.subarray((i % kBatch) * kMessage, ((i % kBatch) + 1) * kMessage));
    },
  },
  {
    name: 'native-object',
    title: 'object of three properties made in native code',
    make: (addon) => repeat(() => addon.object()),
  },
  {
    name: 'literal',
    title: 'the same object as a literal',
    make: () => {
      const kept = [];
      return repeat((i) => {
        kept[i % kBatch] = { size: i, truncated: false, dropped: false };
      });
    },
  },
  {
    name: 'emit',
    title: 'EventEmitter.emit() to one listener',
    make: () => {
      const emitter = new EventEmitter().on('message', () => {});
      const message = {};
      return repeat(() => emitter.emit('message', message));
    },
  },
  {
    name: 'await',
    title: 'await of a settled promise',
    make: () => async (times) => {
      for (let i = 0; i < times; i++) await undefined;
    },
  },
  {
    name: 'datagram',
    title: 'fdpass: trySend() and message, datagram, by 8',
    make: () => exchange(UnixDatagram, kBurst),
  },
  {
    name: 'seqpacket',
    title: 'fdpass: trySend() and message, seqpacket, by 8',
    make: () => exchange(UnixSeqpacket, kBurst),
  },
  {
    name: 'quiet-datagram',
    title: 'fdpass: trySend() and message, datagram, one by one',
    make: () => exchange(UnixDatagram, 1),
  },
  {
    name: 'quiet-seqpacket',
    title: 'fdpass: trySend() and message, seqpacket, one by one',
    make: () => exchange(UnixSeqpacket, 1),
  },
];

/** Fewer than net.unix.max_dgram_qlen lets in. */
const kBurst = 8;

function exchange(Socket, size) {
  const [sender, receiver] = Socket.pair();
  const bytes = Buffer.alloc(kMessage);
  let left = 0;
  let done = () => {};
  receiver.on('message', () => {
    left--;
    if (left % size === 0) left === 0 ? done() : burst();
  });
  const burst = () => {
    for (let i = 0; i < size; i++) sender.trySend(bytes);
  };
  return (times) =>
    new Promise((resolve) => {
      done = resolve;
      left = Math.ceil(times / size) * size;
      burst();
    });
}
