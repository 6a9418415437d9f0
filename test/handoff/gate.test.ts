// Gate: a server is shut and opened again, and its program does not notice.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import test, { type TestContext } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd } from 'fdpass';
import { Gate } from '#fdpass/handoff/gate';

interface Opened {
  server: http.Server;
  gate: Gate;
  /** A listener that stays, as the registry keeps one. */
  kept: Fd;
  port: number;
  /** 'listening' and 'close', as the program hears them. */
  heard: string[];
}

async function open(t: TestContext): Promise<Opened> {
  const listener = net.createServer().listen(0, '127.0.0.1');
  await once(listener, 'listening');
  const kept = Fd.dup(listener);
  const { port } = listener.address() as net.AddressInfo;
  listener.close();
  const server = http.createServer((_, response) => response.end(JSON.stringify(server.address())));
  const heard: string[] = [];
  const gate = new Gate(server);
  await gate.open(kept, 5);
  for (const event of ['listening', 'close']) server.on(event, () => heard.push(event));
  await nextTurn();
  heard.length = 0;
  t.after(() => {
    gate.retire(kept);
    server.closeAllConnections();
    kept.close();
  });
  return { server, gate, kept, port, heard };
}

async function ask(port: number, agent: http.Agent | false = false): Promise<string> {
  const [response] = (await once(http.get({ port, host: '127.0.0.1', agent }), 'response')) as [
    http.IncomingMessage,
  ];
  let text = '';
  for await (const chunk of response) text += chunk;
  return text;
}

test('what connects while it is shut waits, and is answered when it opens again', async (t) => {
  const { gate, kept, port, server } = await open(t);
  gate.shut(kept);
  assert.ok(!server.listening);
  const answer = ask(port);
  await nextTurn();
  gate.reopen(kept, 5);
  assert.ok(server.listening, 'at once: nobody else may accept by now');
  assert.match(await answer, /127\.0\.0\.1/);
});

test('the program hears neither close nor listening, and address() stays', async (t) => {
  const { gate, kept, port, server, heard } = await open(t);
  for (let i = 0; i < 3; i++) {
    const address = server.address();
    gate.shut(kept);
    assert.deepEqual(server.address(), address);
    await nextTurn(); // Node says 'close' now: there is no connection
    gate.reopen(kept, 5);
    await nextTurn();
    assert.deepEqual(server.address(), address);
  }
  assert.match(await ask(port), new RegExp(`${port}`));
  assert.deepEqual(heard, []);
  assert.ok(!Object.hasOwn(server, 'address') && !Object.hasOwn(server, 'emit'), 'nothing of ours is left');
});

test('it can be opened again in the very turn in which it was shut', async (t) => {
  const { gate, kept, server, heard } = await open(t);
  gate.shut(kept);
  gate.reopen(kept, 5);
  await nextTurn();
  assert.ok(server.listening);
  assert.deepEqual(heard, []);
  const closed = once(server, 'close');
  gate.retire(kept);
  await closed;
  assert.deepEqual(heard, ['close'], 'once, and when it is true');
});

test('connections live on while it is shut, and see the address', async (t) => {
  const { gate, kept, port } = await open(t);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  t.after(() => agent.destroy());
  const before = await ask(port, agent);
  gate.shut(kept);
  assert.equal(await ask(port, agent), before);
});

test('close is heard once it is shut for good and the last connection has ended', async (t) => {
  const { gate, kept, port, heard } = await open(t);
  const client = net.connect(port, '127.0.0.1');
  await once(client, 'connect');
  await ask(port); // accepted behind the client
  gate.shut(kept);
  await nextTurn();
  gate.retire(kept);
  await nextTurn();
  assert.deepEqual(heard, []);
  client.destroy();
  while (heard.length === 0) await nextTurn();
  assert.deepEqual(heard, ['close']);
});

test('a close that came while it was shut is heard when it is shut for good', async (t) => {
  const { gate, kept, heard } = await open(t);
  gate.shut(kept);
  await nextTurn();
  gate.retire(kept);
  await nextTurn();
  assert.deepEqual(heard, ['close']);
});

test('other events pass while it is shut, and who wraps emit() meanwhile is not undone', async (t) => {
  const { gate, kept, server } = await open(t);
  gate.shut(kept);
  const seen: unknown[] = [];
  server.on('news', (value) => seen.push(value));
  const emit = server.emit;
  server.emit = (event: string, ...args: unknown[]) => {
    seen.push(event);
    return Reflect.apply(emit, server, [event, ...args]);
  };
  server.emit('news', 1);
  gate.reopen(kept, 5);
  await nextTurn();
  server.emit('news', 2);
  assert.deepEqual(seen, ['news', 1, 'close', 'listening', 'news', 2]);
});

test('a server that was never opened can be shut for good', () => {
  const server = net.createServer();
  const kept = Fd.dup(0);
  new Gate(server).retire(kept);
  kept.close();
  assert.ok(!server.listening);
});
