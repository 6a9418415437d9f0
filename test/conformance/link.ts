// Two connected sockets of the high level, the same for all three types.
import { once } from 'node:events';
import type { FdLike } from 'fdpass';
import { type Fd, type SocketOptions, UnixDatagram, UnixSeqpacket, UnixStream } from 'fdpass';
import type { Type } from './raw';
import type { Row } from './row';

export interface Arrived {
  data: string;
  fds: Fd[];
  fdsDropped: boolean;
}

export interface Link {
  sender: UnixDatagram | UnixSeqpacket | UnixStream;
  receiver: UnixDatagram | UnixSeqpacket | UnixStream;
  send(data: string | Uint8Array, fds?: FdLike[]): Promise<void>;
  /** Its descriptors are closed when the row ends. */
  receive(): Promise<Arrived>;
}

export function link(t: Row, type: Type, options: SocketOptions = {}): Link {
  if (type === 'stream') return streamLink(t, options);
  if (type === 'dgram') {
    const [sender, receiver] = UnixDatagram.pair(options);
    return messageLink(t, sender, receiver, (data, fds) => sender.send(data, undefined, { fds }));
  }
  const [sender, receiver] = UnixSeqpacket.pair(options);
  return messageLink(t, sender, receiver, (data, fds) => sender.send(data, { fds }));
}

function messageLink(
  t: Row,
  sender: UnixDatagram | UnixSeqpacket,
  receiver: UnixDatagram | UnixSeqpacket,
  send: (data: string | Uint8Array, fds: FdLike[]) => Promise<void>,
): Link {
  t.keep(sender);
  t.keep(receiver);
  return {
    sender,
    receiver,
    send: (data, fds = []) => send(data, fds),
    async receive() {
      const message = await receiver.receive();
      if (message === null) throw new Error('the stream has ended');
      for (const fd of message.fds) t.keep(fd);
      const { fds, fdsDropped } = message;
      return { data: message.data.toString('latin1'), fds, fdsDropped };
    },
  };
}

function streamLink(t: Row, options: SocketOptions): Link {
  const [sender, receiver] = UnixStream.pair(options);
  destroyAfter(t, sender, receiver);
  for (const stream of [sender, receiver]) stream.on('error', () => {}); // a failed send() rejects as well
  return {
    sender,
    receiver,
    send: (data, fds = []) => sender.send(data, { fds }),
    receive: arrivalsOf(t, receiver),
  };
}

/** What the returned function gives, one after the other: the 'data' events, each with its descriptors. */
export function arrivalsOf(t: Row, stream: UnixStream): () => Promise<Arrived> {
  const arrived: Arrived[] = [];
  let fds: Fd[] = [];
  let fdsDropped = false;
  stream.on('fds', (received: Fd[], { dropped }: { dropped: boolean }) => {
    for (const fd of received) t.keep(fd);
    fds.push(...received);
    fdsDropped ||= dropped;
  });
  stream.on('data', (chunk: Buffer) => {
    arrived.push({ data: chunk.toString('latin1'), fds, fdsDropped });
    [fds, fdsDropped] = [[], false];
  });
  return async () => {
    if (arrived.length === 0) await once(stream, 'data');
    return arrived.shift() as Arrived;
  };
}

export function destroyAfter(t: Row, ...streams: UnixStream[]): void {
  t.after(async () => {
    for (const stream of streams) {
      if (!stream.destroyed) stream.destroy();
      if (!stream.closed) await once(stream, 'close');
    }
  });
}
