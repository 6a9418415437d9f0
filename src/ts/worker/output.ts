// What a worker prints, when its primary is another than the one that has started it.
import { Fd } from '../fd/fd';
import { binding } from '../native/binding';
import type { OutputStream } from './messages';

const NUMBERS: Record<OutputStream, number> = { stdout: 1, stderr: 2 };

/** From here nobody reads what this process prints: that is lost, and no reason to end. */
export function ignoreOutputErrors(): void {
  for (const stream of [process.stdout, process.stderr]) {
    stream.off('error', ignore);
    stream.on('error', ignore);
  }
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
  const { _handle: handle } = stream as { _handle?: { setBlocking?(on: boolean): void } };
  handle?.setBlocking?.(true);
}
