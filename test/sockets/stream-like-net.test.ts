// UnixStream beside net.Socket: the same scenario gives the same events in the same order.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import path from 'node:path';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { UnixServer } from 'fdpass';
import { type Connection, destroyAfter, type Maker, makers } from '../helpers/streams';
import { tmpDir } from '../helpers/tmp-dir';

interface Ends {
  client: Connection;
  server: Connection;
  log: string[];
}

interface Scenario {
  title: string;
  allowHalfOpen?: boolean;
  /** 'flowing': both ends read from the beginning. Default. */
  server?: 'flowing' | 'paused';
  run(ends: Ends): unknown;
  /** Ends that close. Default: both. */
  closes?: ('client' | 'server')[];
}

/** Bytes of one direction are one entry, however they came. */
function note(log: string[], who: string, stream: Connection, reads: boolean): void {
  const events = ['connect', 'ready', 'end', 'finish', 'timeout', 'drain'] as const;
  for (const event of events) stream.on(event, () => log.push(`${who} ${event}`));
  stream.on('error', (error: NodeJS.ErrnoException) =>
    log.push(`${who} error ${error.code ?? error.message}`),
  );
  stream.on('close', () => log.push(`${who} close`));
  if (!reads) return;
  stream.setEncoding('utf8').on('data', (text: string) => {
    const entry = `${who} data `;
    if (log.at(-1)?.startsWith(entry)) log[log.length - 1] += text;
    else log.push(entry + text);
  });
}

async function play(t: TestContext, maker: Maker, scenario: Scenario): Promise<Record<string, string[]>> {
  const at = path.join(tmpDir(t), 's');
  const log: string[] = [];
  const accepted = new Promise<Connection>((resolve) => {
    const { allowHalfOpen = false } = scenario;
    const listener = maker.listen(at, { allowHalfOpen }, (connection) => {
      note(log, 'server', connection, scenario.server !== 'paused');
      resolve(connection);
    });
    t.after(() => void listener.close());
  });
  const client = maker.connect(at);
  note(log, 'client', client, true);
  const [server] = await Promise.all([accepted, once(client, 'ready')]);
  destroyAfter(t, client, server);
  const ends = { client, server };
  const closes = (scenario.closes ?? ['client', 'server']).map(
    (who) => new Promise((resolve) => ends[who].once('close', resolve)),
  );
  await scenario.run({ client, server, log });
  await Promise.all(closes);
  await nextTurn();
  // Which of the two ends the loop serves first is nobody's promise: each has a log of its own.
  const of = (who: string): string[] => log.filter((entry) => entry.startsWith(who));
  return { client: of('client'), server: of('server'), other: log.filter((entry) => entry.startsWith('-')) };
}

/** Two calls in one expression, in this order. */
function both(..._results: unknown[]): void {}

const scenarios: Scenario[] = [
  { title: 'one end ends', run: ({ client }) => void client.end('bye') },
  { title: 'the server ends', run: ({ server }) => void server.end('bye') },
  { title: 'both end at once', run: ({ client, server }) => both(client.end('a'), server.end('b')) },
  { title: 'an end without a byte', run: ({ client }) => void client.end() },
  { title: 'one end is destroyed', run: ({ client }) => void client.destroy() },
  {
    title: 'one end is destroyed with an error',
    run: ({ server }) => void server.destroy(new Error('mine')),
  },
  {
    title: 'destroy() behind write()',
    run: ({ client }) => both(client.write('last words'), client.destroy()),
  },
  {
    title: 'destroySoon() behind write()',
    run: ({ client }) => both(client.write('last words'), client.destroySoon()),
  },
  {
    title: 'an answer behind the end, if half-open is allowed',
    allowHalfOpen: true,
    run: ({ client, server }) => {
      server.once('end', () => void server.end('answer'));
      client.end('question');
    },
  },
  {
    title: 'write() after destroy()',
    run: ({ client, log }) => {
      client.destroy();
      client.write('y', (error) => log.push(`- write ${(error as NodeJS.ErrnoException).code}`));
    },
  },
  {
    title: 'end() twice, destroy() twice',
    run: ({ client }) =>
      void client
        .end('x')
        .end()
        .once('finish', () => client.destroy().destroy()),
  },
  {
    title: 'callbacks of writes come in order',
    run: ({ client, log }) => {
      for (const text of ['a', 'b', 'c']) client.write(text, () => log.push(`- ${text}`));
      client.end(() => log.push('- end'));
    },
  },
  {
    title: 'corked writes go together',
    run: ({ client, log }) => {
      client.cork();
      for (const text of ['a', 'b', 'c']) client.write(text, () => log.push(`- ${text}`));
      log.push(`- corked ${client.writableLength}`);
      client.uncork();
      client.end();
    },
  },
  {
    title: 'writing to a peer that is gone',
    run: async ({ client, server }) => {
      client.pause();
      server.destroy();
      await once(server, 'close');
      client.write('x');
    },
  },
  {
    title: 'paused and resumed',
    run: async ({ client, server }) => {
      server.pause();
      await new Promise<void>((done) => client.write('a', () => done()));
      server.resume();
      client.end('b');
    },
  },
  { title: 'idle for long', run: ({ client }) => void client.setTimeout(10, () => client.destroy()) },
  {
    title: 'a full peer, and drain',
    server: 'paused',
    run: ({ client, server, log }) => {
      log.push(`- ${client.write(Buffer.alloc(2_000_000))} ${client.writableNeedDrain}`);
      client.once('drain', () => client.end());
      server.resume();
    },
  },
  ...(['data', 'end', 'finish'] as const).map(
    (event): Scenario => ({
      title: `destroy() inside '${event}'`,
      run: ({ client, server }) => {
        const end = event === 'finish' ? client : server;
        end.once(event, () => void end.destroy());
        client.end('x');
      },
    }),
  ),
];

for (const scenario of scenarios) {
  test(`as net.Socket: ${scenario.title}`, async (t) => {
    const [theirs, ours] = [await play(t, makers[0], scenario), await play(t, makers[1], scenario)];
    assert.ok((theirs['client']?.length ?? 0) > 2);
    assert.deepEqual(ours, theirs);
  });
}

const beforeConnect: [title: string, act: (client: Connection, log: string[]) => void][] = [
  ['write() and end()', (client) => both(client.write('a'), client.end('b'))],
  ['end() alone', (client) => void client.end()],
  ['destroy()', (client) => void client.destroy()],
  ['destroy() behind end()', (client) => void client.end('x').destroy()],
  [
    "end(), and destroy() inside 'connect'",
    (client) =>
      both(
        client.on('connect', () => client.destroy()),
        client.end(),
      ),
  ],
  ["destroy() inside 'ready'", (client) => void client.on('ready', () => client.destroy())],
  [
    'what it says of itself',
    (client, log) => {
      log.push(`- ${client.connecting} ${client.writable} ${client.readable} ${client.bytesRead}`);
      client.on('connect', () => {
        log.push(`- ${client.connecting} ${client.writable} ${client.readable}`);
        client.end();
      });
    },
  ],
];

for (const [title, act] of beforeConnect) {
  test(`as net.Socket: before it is connected, ${title}`, async (t) => {
    const logs: string[][] = [];
    for (const maker of makers) {
      const at = path.join(tmpDir(t), 's');
      const listener = maker.listen(at, {}, (connection) => {
        destroyAfter(t, connection);
        connection.on('error', () => {}).resume();
      });
      t.after(() => void listener.close());
      const log: string[] = [];
      const client = maker.connect(at);
      note(log, 'client', client, true);
      act(client, log);
      await new Promise((resolve) => client.once('close', resolve));
      logs.push(log);
    }
    assert.deepEqual(logs[1], logs[0]);
  });
}

for (const code of ['ENOENT', 'ECONNREFUSED']) {
  test(`as net.Socket: connecting fails with ${code}`, async (t) => {
    const at = path.join(tmpDir(t), 's');
    if (code === 'ECONNREFUSED') {
      await new UnixServer().listen(at, { unlinkOnClose: false }).close();
    }
    const seen: unknown[] = [];
    for (const maker of makers) {
      const client = maker.connect(at);
      const log: string[] = [];
      note(log, 'client', client, true);
      client.write('never');
      const closed = new Promise((resolve) => client.once('close', resolve));
      const [error] = (await once(client, 'error')) as [NodeJS.ErrnoException];
      await closed;
      const { message, errno, syscall } = error;
      seen.push({ message, code: error.code, errno, syscall, log });
    }
    assert.deepEqual(seen[1], seen[0]);
  });
}
