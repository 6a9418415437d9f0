// adoptReadStream(), adoptWriteStream(): an owned file becomes the stream of node:fs.
import * as fs from 'node:fs';
import { type KnownNames, NO_OPTIONS, validateOptions } from '../base/options';
import { unsupportedRuntime } from '../base/runtime';
import { Fd } from './fd';
import { isKnownToFs } from './fs-number';
import { requireKind } from './kind';

export interface AdoptReadStreamOptions {
  /** First byte to read. Default: the file offset, which is shared with everyone who holds the descriptor. */
  start?: number | undefined;
  /** Last byte to read, inclusive. Default: the end of the file. */
  end?: number | undefined;
  /** Bytes of one read. Default 64 KiB. */
  highWaterMark?: number | undefined;
  encoding?: BufferEncoding | undefined;
}

const READ_OPTIONS: KnownNames<AdoptReadStreamOptions> = {
  start: true,
  end: true,
  highWaterMark: true,
  encoding: true,
};

/**
 * A file, a memfd or a device as fs.ReadStream. Consumes `fd`: the stream closes it at its end or by destroy(). The
 * reads are made by threads and left blocking; O_NONBLOCK, which belongs to everyone who holds the descriptor, is
 * not touched. Where somebody has set it, a device without input fails with EAGAIN.
 * @throws ERR_FDPASS_WRONG_KIND for anything else, or what is open for writing only; ERR_FDPASS_CLOSED;
 * ERR_FDPASS_UNSUPPORTED_RUNTIME in Deno; as fs.createReadStream() for wrong options. `fd` stays the caller's
 */
export function adoptReadStream(fd: Fd, options: AdoptReadStreamOptions = NO_OPTIONS): fs.ReadStream {
  validateOptions('options', options, READ_OPTIONS);
  requireKind(fd, 'adoptReadStream()');
  const { start, end, highWaterMark, encoding } = options;
  return makeStream(fd, (number, close) =>
    fs.createReadStream(
      '',
      given({ start, end, highWaterMark, encoding, fd: number, fs: { ...READ, close } }),
    ),
  );
}

export interface AdoptWriteStreamOptions {
  /** Where to write. Default: the file offset, which is shared; at the end if it was opened with O_APPEND. */
  start?: number | undefined;
  /** Bytes that may wait before write() returns false. Default 16 KiB. */
  highWaterMark?: number | undefined;
  /** Of strings. Default 'utf8'. */
  encoding?: BufferEncoding | undefined;
}

const WRITE_OPTIONS: KnownNames<AdoptWriteStreamOptions> = {
  start: true,
  highWaterMark: true,
  encoding: true,
};

/**
 * A file, a memfd or a device as fs.WriteStream, under the same terms as adoptReadStream().
 * @throws ERR_FDPASS_WRONG_KIND for anything else, or what is open for reading only; ERR_FDPASS_CLOSED;
 * ERR_FDPASS_UNSUPPORTED_RUNTIME in Deno; as fs.createWriteStream() for wrong options. `fd` stays the caller's
 */
export function adoptWriteStream(fd: Fd, options: AdoptWriteStreamOptions = NO_OPTIONS): fs.WriteStream {
  validateOptions('options', options, WRITE_OPTIONS);
  requireKind(fd, 'adoptWriteStream()');
  const { start, highWaterMark, encoding } = options;
  return makeStream(fd, (number, close) =>
    fs.createWriteStream('', given({ start, highWaterMark, encoding, fd: number, fs: { ...WRITE, close } })),
  );
}

const READ = { read: fs.read };
const WRITE = { write: fs.write, writev: fs.writev };

type Close = (number: number, done?: fs.NoParamCallback) => void;

// The stream has the number, its owner stays an Fd that the stream alone knows: so it is closed also when the stream
// is lost, or its worker thread is terminated. close(2) of a file can take long and is left to a thread.
function makeStream<S>(fd: Fd, make: (number: number, close: Close) => S): S {
  if (!isKnownToFs(fd)) throw unsupportedRuntime('fs on a descriptor');
  let owner = fd; // the caller's, until the stream stands
  const stream = make(fd.fd, (_, done) => fs.close(owner.detach(), done));
  owner = Fd.adopt(fd.detach());
  owner.heldBy('stream of node:fs', 'destroy()');
  return stream;
}

// Node takes `undefined` for a number here and there.
function given<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
