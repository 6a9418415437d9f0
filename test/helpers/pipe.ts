// Real pipes, to see whether a passed descriptor is the one that was sent and whether all copies are closed.
import { execFileSync } from 'node:child_process';
import { constants, openSync, readSync, rmSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Fd } from 'fdpass';
import { freshName } from './address-name';
import type { Ending } from './tmp-dir';

export interface Pipe {
  reader: Fd;
  writer: Fd;
}

/** Node has no pipe(2): a FIFO without a name is one. Both ends are non-blocking. */
export function openPipe(t: Ending): Pipe {
  const name = path.join(tmpdir(), freshName());
  execFileSync('mkfifo', [name]);
  const reader = Fd.adopt(openSync(name, constants.O_RDONLY | constants.O_NONBLOCK));
  const writer = Fd.adopt(openSync(name, constants.O_WRONLY | constants.O_NONBLOCK));
  rmSync(name);
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
    return buffer.toString('utf8', 0, readSync(reader.fd, buffer));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EAGAIN') return undefined;
    throw error;
  }
}

export function writeNow(writer: Fd, text: string): void {
  writeSync(writer.fd, text);
}
