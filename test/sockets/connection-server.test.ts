// What both servers of connections share: how many at a time, and how they end.
import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { type ListenOptions, UnixSeqpacket, UnixSeqpacketServer, UnixServer, UnixStream } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { failureOf } from '../helpers/outcome';

interface Client {
  /** Resolves when the peer has gone. */
  gone: Promise<unknown>;
  end(): void;
}

const kinds = [
  {
    title: 'UnixServer',
    open: () => new UnixServer(),
    connect(address: string): Client {
      const stream = UnixStream.connect(address);
      stream.on('error', () => {});
      return { gone: once(stream, 'close'), end: () => void stream.destroy() };
    },
  },
  {
    title: 'UnixSeqpacketServer',
    open: () => new UnixSeqpacketServer(),
    connect(address: string): Client {
      const socket = new UnixSeqpacket().connect(address);
      socket.on('message', () => {}).on('error', () => {});
      return { gone: once(socket, 'close'), end: () => void socket.close() };
    },
  },
] as const;

type Kind = (typeof kinds)[number];

function listen(t: TestContext, kind: Kind, options: ListenOptions = {}) {
  const address = `@${freshName()}`;
  const server = kind.open().listen(address, options);
  let accepted = 0;
  server.on('connection', (connection: EventEmitter) => {
    accepted++;
    connection.on('message', () => {}); // a seqpacket socket sees its end only while somebody reads
  });
  t.after(async () => {
    await server.close();
    server.closeAllConnections();
  });
  return { address, server, accepted: () => accepted };
}

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await nextTurn();
}

for (const kind of kinds) {
  test(`${kind.title}: connections over maxConnections wait in the backlog and come when others have closed`, async (t) => {
    const { address, server, accepted } = listen(t, kind, { maxConnections: 2 });
    const clients = Array.from({ length: 5 }, () => kind.connect(address));
    await until(() => accepted() === 2);
    // All five are connected: the kernel has queued three, and the loop has looked several times.
    for (let turn = 0; turn < 20; turn++) await nextTurn();
    assert.equal(accepted(), 2);
    assert.equal(server.connections, 2);
    for (const client of clients.slice(0, 4)) client.end();
    await until(() => accepted() === 5 && server.connections === 1);
    clients[4]?.end();
    await until(() => server.connections === 0);
  });

  test(`${kind.title}: closeAllConnections() cuts those that are open, and the server serves on`, async (t) => {
    const { address, server, accepted } = listen(t, kind);
    const clients = [kind.connect(address), kind.connect(address)];
    await until(() => accepted() === 2);
    server.closeAllConnections();
    await Promise.all(clients.map(({ gone }) => gone));
    assert.equal(server.connections, 0);
    const late = kind.connect(address);
    await until(() => accepted() === 3);
    late.end();
    await until(() => server.connections === 0);
  });

  test(`${kind.title}: an aborted signal closes the server and no connection`, async (t) => {
    const controller = new AbortController();
    const { address, server, accepted } = listen(t, kind, { signal: controller.signal });
    const client = kind.connect(address);
    await until(() => accepted() === 1);
    controller.abort();
    await once(server, 'close');
    assert.equal(server.listening, false);
    assert.equal(server.connections, 1);
    client.end();
    await until(() => server.connections === 0);
    const late = kind.open();
    const error = await failureOf(() => late.listen(address, { signal: controller.signal }));
    assert.equal(error.name, 'AbortError');
    assert.equal(late.listening, false);
  });

  test(`${kind.title}: a connection that nobody listens for is closed`, async (t) => {
    const address = `@${freshName()}`;
    const server = kind.open().listen(address);
    t.after(() => server.close());
    await kind.connect(address).gone;
    assert.equal(server.connections, 0);
  });
}
