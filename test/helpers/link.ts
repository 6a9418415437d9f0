// The table of message sockets: every kind of address times every type of socket, as a sender and a receiver.
import { once } from 'node:events';
import path from 'node:path';
import type { TestContext } from 'node:test';
import {
  type AddressLike,
  type Message,
  type SendOptions,
  type SocketOptions,
  UnixDatagram,
  UnixSeqpacket,
  UnixSeqpacketServer,
} from 'fdpass';
import { freshName } from './address-name';
import { tmpDir } from './tmp-dir';

export interface Link {
  sender: UnixDatagram | UnixSeqpacket;
  receiver: UnixDatagram | UnixSeqpacket;
  send(data: string | Uint8Array, options?: SendOptions): Promise<void>;
  trySend(data: string | Uint8Array, options?: Pick<SendOptions, 'fds'>): boolean;
  /** The next message; fails at the end of the stream. */
  receive(): Promise<Message>;
}

export interface LinkKind {
  title: string;
  type: 'dgram' | 'seqpacket';
  open(t: TestContext, options?: SocketOptions): Promise<Link>;
}

const address: Record<'path' | 'abstract', (t: TestContext) => AddressLike> = {
  path: (t) => path.join(tmpDir(t), 'a.sock'),
  abstract: () => `@${freshName()}`,
};

function datagramLink(t: TestContext, sender: UnixDatagram, receiver: UnixDatagram): Link {
  closeAfter(t, sender, receiver);
  return {
    sender,
    receiver,
    send: (data, options) => sender.send(data, undefined, options),
    trySend: (data, options) => sender.trySend(data, undefined, options),
    receive: () => receiver.receive(),
  };
}

function seqpacketLink(t: TestContext, sender: UnixSeqpacket, receiver: UnixSeqpacket): Link {
  closeAfter(t, sender, receiver);
  return {
    sender,
    receiver,
    send: (data, options) => sender.send(data, options),
    trySend: (data, options) => sender.trySend(data, options),
    async receive() {
      const message = await receiver.receive();
      if (message === null) throw new Error('the stream has ended');
      return message;
    },
  };
}

async function connectedDatagram(t: TestContext, at: AddressLike, options: SocketOptions): Promise<Link> {
  const receiver = new UnixDatagram(options).bind(at);
  return datagramLink(t, new UnixDatagram().connect(at), receiver);
}

async function connectedSeqpacket(t: TestContext, at: AddressLike, options: SocketOptions): Promise<Link> {
  const server = new UnixSeqpacketServer(options).listen(at);
  t.after(() => server.close());
  const connection = once(server, 'connection') as Promise<[UnixSeqpacket]>;
  const sender = new UnixSeqpacket().connect(at);
  const [receiver] = await connection;
  return seqpacketLink(t, sender, receiver);
}

export function closeAfter(t: TestContext, ...sockets: { close(): Promise<void> }[]): void {
  t.after(async () => {
    for (const socket of sockets) await socket.close();
  });
}

/** {path, abstract, unnamed} x {dgram, seqpacket}. `options` are the receiver's (a pair's are both ends'). */
export const linkKinds: readonly LinkKind[] = [
  ...(['path', 'abstract'] as const).flatMap((kind): LinkKind[] => [
    {
      title: `dgram, ${kind}`,
      type: 'dgram',
      open: (t, options = {}) => connectedDatagram(t, address[kind](t), options),
    },
    {
      title: `seqpacket, ${kind}`,
      type: 'seqpacket',
      open: (t, options = {}) => connectedSeqpacket(t, address[kind](t), options),
    },
  ]),
  {
    title: 'dgram, unnamed',
    type: 'dgram',
    open: async (t, options = {}) => datagramLink(t, ...UnixDatagram.pair(options)),
  },
  {
    title: 'seqpacket, unnamed',
    type: 'seqpacket',
    open: async (t, options = {}) => seqpacketLink(t, ...UnixSeqpacket.pair(options)),
  },
];
