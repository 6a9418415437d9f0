// A port that is taken: EADDRINUSE says who has it, wherever it is bound for somebody.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { networkInterfaces } from 'node:os';
import path from 'node:path';
import test from 'node:test';
import type { SystemError } from 'fdpass';
import { createHandoff } from 'fdpass';
import { MAX_TABLE_BYTES, socketsAt } from '#fdpass/names/inet-sockets';
import { type Child, start } from '../helpers/child';
import { runCli } from '../helpers/cli';
import { isRoot, NOBODY } from '../helpers/nobody';
import { failureOf } from '../helpers/outcome';
import { startRun } from '../helpers/run-pool';
import { tmpDir } from '../helpers/tmp-dir';

const hasIPv6 = Object.values(networkInterfaces())
  .flat()
  .some((one) => one?.address === '::1');

interface Holder extends Child {
  port: number;
  pid: number;
}

/** A program that listens on that address until its stdin ends. */
async function holder(t: test.TestContext, host: string, uid?: number): Promise<Holder> {
  const script = `const server = require('net').createServer().listen(0, ${JSON.stringify(host)}, () => {
    console.log(server.address().port);
    process.stdin.resume().on('end', () => process.exit());
  });`;
  const as = uid === undefined ? {} : { uid, gid: uid };
  const child = start(t, process.execPath, ['-e', script], { cwd: '/', ...as });
  return { ...child, port: Number(await child.line()), pid: child.process.pid as number };
}

async function end(child: Child): Promise<void> {
  child.process.stdin?.end();
  await child.ended;
}

/** As handoff.listen() outside of a pool fails there. */
async function listenFailure(
  t: test.TestContext,
  where: { port: number; host?: string },
): Promise<SystemError> {
  const handoff = await createHandoff({ name: 'shop', address: path.join(tmpDir(t), 'control') });
  try {
    return await failureOf(handoff.listen('http', http.createServer(), where));
  } finally {
    await handoff.close();
  }
}

for (const [theirs, ours] of [
  ['127.0.0.1', '127.0.0.1'],
  ['127.0.0.1', '0.0.0.0'],
  ['127.0.0.1', undefined],
  ['0.0.0.0', '127.0.0.1'],
  ['::', '127.0.0.1'],
  ['::1', '0:0:0:0:0:0:0:1'],
  ['::', '::1'],
  ['::ffff:127.0.0.1', '127.0.0.1'],
] as const) {
  const skip = theirs.includes(':') && !hasIPv6 && 'needs IPv6';
  test(`who listens on ${theirs} is named to who wants ${ours ?? 'every address'}`, { skip }, async (t) => {
    const { port, pid, ...child } = await holder(t, theirs);
    const error = await listenFailure(t, { port, ...(ours === undefined ? {} : { host: ours }) });
    assert.deepEqual([error.code, error.syscall, error.errno], ['EADDRINUSE', 'bind', -98]);
    assert.equal(error.address?.endsWith(`:${port}`), true);
    assert.deepEqual(
      error.holders?.map((one) => [one.pid, one.uid]),
      [[pid, process.geteuid?.()]],
    );
    assert.match(
      error.message,
      new RegExp(`^bind EADDRINUSE \\S+:${port} \\(held by pid ${pid}: .*node -e .*\\)$`),
    );
    await end(child);
  });
}

test('an address of the same port that is not in the way is not named', async (t) => {
  const { port, ...child } = await holder(t, '127.0.0.2');
  assert.deepEqual(socketsAt({ protocol: 'tcp', address: '127.0.0.1', port }), []);
  assert.deepEqual(socketsAt({ protocol: 'tcp', address: '::1', port }), []);
  assert.equal(socketsAt({ protocol: 'tcp', address: '127.0.0.2', port }).length, 1);
  await end(child);
});

test('a connection that goes out from the port is named where nobody listens', async (t) => {
  // Those of other tests, and of other programs, that have ended stay in it for a minute.
  if (readFileSync('/proc/net/tcp').length > MAX_TABLE_BYTES / 2) {
    t.skip('needs a machine with fewer connections');
    return;
  }
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port: far } = server.address() as net.AddressInfo;
  const script = `const socket = require('net').connect(${far}, '127.0.0.1', () => console.log(socket.localPort));`;
  const child = start(t, process.execPath, ['-e', script]);
  const port = Number(await child.line());
  const { message } = await listenFailure(t, { port, host: '127.0.0.1' });
  assert.match(message, new RegExp(`held by pid ${child.process.pid}: `));
  server.close();
  child.process.kill();
  await child.ended;
});

test('a UDP socket is named, too', async (t) => {
  const script = `const socket = require('dgram').createSocket('udp4').bind(0, '127.0.0.1', () =>
    console.log(socket.address().port));`;
  const child = start(t, process.execPath, ['-e', script]);
  const port = Number(await child.line());
  const handoff = await createHandoff({ name: 'shop', address: path.join(tmpDir(t), 'control') });
  const { code, message } = await failureOf(handoff.bindUdp('udp', { port, address: '127.0.0.1' }));
  assert.equal(code, 'EADDRINUSE');
  assert.match(message, new RegExp(`\\(held by pid ${child.process.pid}: `));
  await handoff.close();
  child.process.kill();
  await child.ended;
});

test('a process that may not be seen is said to be there', { skip: !isRoot && 'needs root' }, async (t) => {
  const { port, ...child } = await holder(t, '127.0.0.1');
  const asked = start(t, process.execPath, ['-e', askAsNobody(port)], { cwd: '/' });
  assert.equal(
    await asked.line(),
    `bind EADDRINUSE 127.0.0.1:${port} (held by a process that was not found; only root sees other users' processes)`,
  );
  await asked.ended;
  await end(child);
});

/** What was loaded before may lie where nobody else can look. */
function askAsNobody(port: number): string {
  const [endpoint, errors] = ['handoff/endpoint', 'names/inet-sockets'].map((name) =>
    JSON.stringify(require.resolve(`#fdpass/${name}`)),
  );
  return `require(${errors});
  require(${endpoint}).streamPlace({ port: ${port}, host: '127.0.0.1' }).then((place) => {
    process.setgroups([]);
    process.setgid(${NOBODY});
    process.setuid(${NOBODY});
    try { place.bind(); } catch ({ message }) { console.log(message); }
  });`;
}

for (const [how, options] of [
  ['processes', ['-i', '2']],
  ['threads', ['-i', '1', '--threads']],
] as const) {
  test(`fdpass run, ${how}: a program hears as of Node alone, and the one who has the port is printed`, async (t) => {
    const { port, pid, ...child } = await holder(t, '127.0.0.1');
    const file = path.join(__dirname, '../fixtures/unchanged.js');
    const program = [process.execPath, file, 'port', `${port}`];
    const { code, stdout } = await startRun(t, { options: [...options], program }).end();
    // Of whichever was first: with it the others are ended.
    const told = JSON.parse(/^shop\/[12]\.1 +\| server failed (.*)$/m.exec(stdout)?.[1] ?? '{}');
    const { message, ...fields } = told;
    assert.deepEqual(fields, { code: 'EADDRINUSE', syscall: 'listen', address: '127.0.0.1', port });
    assert.match(message, new RegExp(`\\(held by pid ${pid}: .*node -e .*\\)$`));
    assert.equal(code, 1, 'the program has ended well, and does not serve');
    await end(child);
  });
}

test('metrics at a port that is taken say so', async (t) => {
  const { port, pid, ...child } = await holder(t, '127.0.0.1');
  const { code, stderr } = await runCli(
    t,
    'run',
    '--name',
    `shop-${process.pid}`,
    '--metrics',
    `${port}`,
    '--',
    'true',
  );
  assert.equal(code, 1);
  assert.match(
    stderr,
    new RegExp(`^fdpass run: listen EADDRINUSE.*:${port} \\(held by pid ${pid}: .*node -e .*\\)$`, 'm'),
  );
  await end(child);
});
