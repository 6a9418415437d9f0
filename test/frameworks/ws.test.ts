// WebSockets of ws: sent away with 1001 over a while, and received by the new process.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import type { Receipt } from 'fdpass';
import { Load } from '../helpers/clients';
import { portOf, Stage, web, within } from '../helpers/stage';
import { CLOSE_OVER_MS } from './applications';
import { webSocketClient } from './clients';
import { framework, type WebSocket, type Ws } from './framework';

/** Seen from test/fixtures. */
const SERVER = '../frameworks/server';
const webSockets = web({ kind: 'ws' as 'http' });

async function connected(port: number): Promise<WebSocket> {
  const webSocket = new (framework<Ws>('ws').WebSocket)(`ws://127.0.0.1:${port}`);
  await new Promise<void>((resolve, reject) => {
    webSocket.on('open', resolve);
    webSocket.on('error', reject);
  });
  return webSocket;
}

test('busy WebSockets are closed with 1001, and those who connect again are served by the new process', async (t) => {
  const stage = await Stage.open(t, { listeners: [webSockets] });
  let serving = await stage.start({}, { fixture: SERVER });
  const clients = Array.from({ length: 20 }, () => webSocketClient(portOf(serving)));
  const load = new Load(clients);
  await load.served(serving.pid, 200);
  for (let i = 1; i <= 2; i++) {
    const next = await stage.upgrade(serving);
    const { receipt } = (await serving.event('drained')) as unknown as { receipt: Receipt };
    assert.equal((receipt.drain as { forced: number }).forced, 0);
    assert.equal(await serving.exit(), 0);
    await load.served(next.pid, 200);
    serving = next;
  }
  const { failures } = await load.stop();
  assert.deepEqual(failures, []);
  assert.ok(
    clients.every(({ sentAway }) => sentAway === 2),
    'somebody has not heard 1001 from each process',
  );
});

test('idle WebSockets outlive the HTTP drain, and are closed one by one, not all at once', async (t) => {
  const stage = await Stage.open(t, { listeners: [webSockets] });
  const first = await stage.start({}, { fixture: SERVER });
  const idle = await Promise.all(Array.from({ length: 40 }, () => connected(portOf(first))));
  const closings = idle.map(
    (webSocket) =>
      new Promise<{ code: number; at: number }>((resolve) => {
        webSocket.on('close', (code) => resolve({ code, at: performance.now() }));
      }),
  );
  await stage.start({}, { fixture: SERVER });
  const ends = await within('every 1001', () => Promise.all(closings));
  assert.ok(ends.every(({ code }) => code === 1001));
  const times = ends.map(({ at }) => at);
  // Evenly spread, forty are within a quarter of the window once in 10^22 runs.
  assert.ok(Math.max(...times) - Math.min(...times) > CLOSE_OVER_MS / 4);
  assert.equal(await first.exit(), 0);
});

test('a connection that becomes a WebSocket while its process drains is sent away, too', async (t) => {
  const stage = await Stage.open(t, { listeners: [webSockets] });
  const first = await stage.start({}, { fixture: SERVER });
  const socket = net.connect(portOf(first), '127.0.0.1');
  t.after(() => socket.destroy());
  await once(socket, 'connect');
  const busy = await connected(portOf(first)); // behind the silent one: both are the process's now
  busy.on('close', () => {});
  await stage.start({}, { fixture: SERVER });
  await first.event('superseded');
  let received = Buffer.alloc(0);
  socket.on('data', (chunk: Buffer) => {
    received = Buffer.concat([received, chunk]);
  });
  const ended = once(socket, 'end');
  const key = 'Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==';
  socket.write(`GET / HTTP/1.1\r\nHost: test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n${key}\r\n\r\n`);
  await within('the close frame', async () => {
    // A close frame of the server: opcode 8, not masked, then the code. RFC 6455, 5.5.1
    while (received.indexOf(Buffer.from([0x03, 0xe9])) === -1) await once(socket, 'data');
  });
  socket.end();
  await ended;
  assert.equal(await first.exit(), 0);
});
