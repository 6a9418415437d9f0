// Streams that are read into one buffer, by an `onread` option. Only a socket that connects can be given one: the
// receiver calls back whoever connects to it.
import { rmSync } from 'node:fs';

import { byWriting } from './flood.mjs';

/** Node's default for a read. */
const kReadBuffer = 65536;

/** serve() and connect() of a contender that listens with `listen(path, onConnection)` and has `connect(path, options)`. */
export function intoBuffer({ listen, connect }) {
  return {
    async serve(link, on) {
      const callback = (size, buffer) => {
        on.message(buffer.subarray(0, size), 0);
        return true;
      };
      await listen(link.address, () => {
        const onread = { buffer: Buffer.alloc(kReadBuffer), callback };
        connect(backOf(link), { onread }).once('end', on.end).on('error', on.end);
      });
      return link.address;
    },
    async connect(link) {
      rmSync(backOf(link), { force: true });
      let onCalled;
      const called = new Promise((resolve) => {
        onCalled = resolve;
      });
      await listen(backOf(link), onCalled);
      connect(link.address, {});
      const socket = await called;
      return { flood: byWriting(socket), end: () => new Promise((resolve) => socket.end(resolve)) };
    },
  };
}

function backOf({ address }) {
  return `${address}.back`;
}
