// What a worker prints. Whoever reads that may die, or be another primary than the one that has started this process.
import { fstatSync } from 'node:fs';
import { isMainThread } from 'node:worker_threads';
import { Fd } from '../fd/fd';
import { binding } from '../native/binding';
import type { OutputStream } from './messages';

const NUMBERS: Record<OutputStream, number> = { stdout: 1, stderr: 2 };

/**
 * What this process prints when nobody reads it is lost, and no reason to end. A primary that is killed may be missed by a write(2)
 * before its link tells. A file or a terminal is left to Node: there an error says something.
 */
export function outliveReaders(): void {
  if (!isMainThread) return; // a thread prints by way of its process
  for (const [name, number] of Object.entries(NUMBERS))
    if (isPipe(number)) ignoreErrors(process[name as OutputStream]);
}

function isPipe(number: number): boolean {
  try {
    const stat = fstatSync(number);
    return stat.isFIFO() || stat.isSocket();
  } catch {
    return false; // it was closed
  }
}

function ignoreErrors(stream: NodeJS.WriteStream): void {
  stream.off('error', ignore);
  stream.on('error', ignore);
}

function ignore(): void {}

/** Puts a new primary's pipes in place. The descriptors are consumed. */
export function putOutput(streams: readonly OutputStream[], fds: readonly Fd[]): void {
  const used = streams.slice(0, fds.length);
  Fd.closeAll(fds.slice(used.length));
  used.forEach((name, index) => {
    put(name, fds[index] as Fd);
  });
}

// What waits to be written is for the one before: libuv watches that, and would not notice the exchange.
function put(name: OutputStream, fd: Fd): void {
  const stream = process[name];
  if (stream.writableLength > 0) {
    stream.once('drain', () => put(name, fd));
    return;
  }
  binding.redirect(fd.fd, NUMBERS[name]);
  fd.close();
  ignoreErrors(stream); // it may have been a file
  const { _handle: handle } = stream as { _handle?: { setBlocking?(on: boolean): void } };
  handle?.setBlocking?.(true);
}
