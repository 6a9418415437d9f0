// The table of stream connections: every kind of address, as a client and the server's end of it.
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import type { Duplex } from 'node:stream';
import type { TestContext } from 'node:test';
import { type AddressLike, type StreamOptions, UnixServer, UnixStream } from 'fdpass';
import { freshName } from './address-name';
import { closeAfter } from './link';
import { tmpDir } from './tmp-dir';

export type StreamPair = [client: UnixStream, server: UnixStream];

export interface StreamKind {
  title: string;
  /** `options` are those of both ends. */
  open(t: TestContext, options?: StreamOptions): Promise<StreamPair>;
}

export function destroyAfter<S extends Duplex>(t: TestContext, ...streams: S[]): void {
  t.after(() => {
    for (const stream of streams) stream.destroy();
  });
}

/** Two connected streams that end with the test. */
export function openPair(t: TestContext, options: StreamOptions = {}): StreamPair {
  const pair = UnixStream.pair(options);
  destroyAfter(t, ...pair);
  return pair;
}

async function connect(t: TestContext, at: AddressLike, options: StreamOptions): Promise<StreamPair> {
  const server = new UnixServer(options).listen(at);
  closeAfter(t, server);
  const client = UnixStream.connect(at, options);
  destroyAfter(t, client);
  const [accepted] = (await once(server, 'connection')) as [UnixStream];
  destroyAfter(t, accepted);
  if (client.connecting) await once(client, 'connect');
  return [client, accepted];
}

export const streamKinds: readonly StreamKind[] = [
  { title: 'path', open: (t, options = {}) => connect(t, path.join(tmpDir(t), 's'), options) },
  { title: 'abstract', open: (t, options = {}) => connect(t, `@${freshName()}`, options) },
  { title: 'pair', open: async (t, options = {}) => openPair(t, options) },
];

/** What both net.Socket and UnixStream are. */
export type Connection = net.Socket | UnixStream;

/** node:net or this package, to see whether they do the same. */
export interface Maker {
  title: string;
  connect(at: string): Connection;
  listen(
    at: string,
    options: { allowHalfOpen?: boolean },
    onConnection: (connection: Connection) => void,
  ): { close(): unknown };
}

export const makers: readonly [Maker, Maker] = [
  {
    title: 'net.Socket',
    connect: (at) => net.connect(at),
    listen: (at, options, onConnection) => net.createServer(options, onConnection).listen(at),
  },
  {
    title: 'UnixStream',
    connect: (at) => UnixStream.connect(at),
    listen: (at, options, onConnection) => new UnixServer(options).on('connection', onConnection).listen(at),
  },
];

/** All that comes until the end. Leaves the stream open for writing, which `for await` does not. */
export async function textOf(stream: Duplex): Promise<string> {
  let text = '';
  stream.on('data', (chunk) => {
    text += chunk;
  });
  await once(stream, 'end');
  return text;
}

/** Fills the kernel, what the peer reads ahead, and the stream itself: what is written next waits. @returns bytes written */
export function fill(stream: UnixStream): number {
  let written = 0;
  while (stream.writableLength < 1_000_000) {
    stream.write(Buffer.alloc(50_000, 'f'));
    written += 50_000;
  }
  return written;
}
