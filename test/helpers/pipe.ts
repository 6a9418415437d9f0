// Real pipes, to see whether a passed descriptor is the one that was sent and whether all copies are closed.
import { execFileSync } from 'node:child_process';
import { closeSync, constants, openSync, readSync, writeSync } from 'node:fs';
import path from 'node:path';
import { Fd } from 'fdpass';
import { type Ending, tmpDir } from './tmp-dir';

export interface Pipe {
  reader: Fd;
  writer: Fd;
}

/** Node has no pipe(2): a FIFO that nobody else knows is one. Both ends are non-blocking. */
export function openPipe(t: Ending): Pipe {
  const name = path.join(tmpDir(t), 'pipe');
  execFileSync('mkfifo', [name]);
  const reader = openEnd(name, constants.O_RDONLY);
  const writer = openEnd(name, constants.O_WRONLY);
  t.after(() => {
    reader.close();
    writer.close();
  });
  return { reader, writer };
}

/** What is in the pipe; '' at its end, that is when no copy of the writer is open; undefined when nothing is there yet. */
export function readNow(reader: Fd): string | undefined {
  const buffer = Buffer.alloc(256);
  try {
    return buffer.toString(
      'utf8',
      0,
      withFs(reader, constants.O_RDONLY, (fd) => readSync(fd, buffer)),
    );
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

export function writeNow(writer: Fd, text: string): void {
  withFs(writer, constants.O_WRONLY, (fd) => writeSync(fd, text));
}

// A duplicate: what `fs` has opened, `fs` closes, which in Deno keeps a table of its numbers.
function openEnd(name: string, mode: number): Fd {
  const fd = openSync(name, mode | constants.O_NONBLOCK);
  const end = Fd.dup(fd);
  closeSync(fd);
  return end;
}

/** Deno's `fs` takes only numbers that it has opened itself: there the same pipe is opened for it once more. */
function withFs<T>(end: Fd, mode: number, use: (fd: number) => T): T {
  if (process.versions['deno'] === undefined) return use(end.fd);
  const fd = openSync(`/proc/self/fd/${end.fd}`, mode | constants.O_NONBLOCK);
  try {
    return use(fd);
  } finally {
    closeSync(fd);
  }
}
