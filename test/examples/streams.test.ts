// The examples of streams: echo, one message for each connection, JSON-RPC, deadlines.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { tmpDir } from '../helpers/tmp-dir';
import { hasNetcat, talk } from './client';
import { outputOf, startExample, startServer, stop } from './example';

const socketIn = (t: TestContext): string => path.join(tmpDir(t), 's');

test(`echo-server gives back what ${hasNetcat ? 'nc -U' : 'Python'} sends, as much as it is`, async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'echo-server', [at]);
  assert.equal(await outputOf(talk(t, at, 'hello\n')), 'hello\n');
  const much = 'fdpass '.repeat(100_000);
  assert.equal(await outputOf(talk(t, at, much)), much);
  const { stdout } = await stop(server);
  assert.match(stdout, /client 1 is here\nclient 1 is gone\nclient 2 is here\nclient 2 is gone\n$/);
});

test('one-message-server answers the client behind the end of its message, and the client is content', async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'one-message-server', [at]);
  assert.equal(
    await outputOf(startExample(t, 'one-message-client', ['gr\u00fc\u00dfe', at])),
    'confirmed: ok 7\n',
  );
  assert.equal(await outputOf(talk(t, at, 'in\ntwo lines')), 'ok 12\n');
  assert.equal(await outputOf(talk(t, at, '')), 'ok 0\n');
  const { stdout } = await stop(server);
  assert.match(stdout, /message: "gr\u00fc\u00dfe"\nmessage: "in\\ntwo lines"\nmessage: ""\n$/);
});

test('one-message-server puts a message together that comes in pieces, and waits for its end', async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'one-message-server', [at]);
  const client = net.connect(at).setEncoding('utf8');
  let answer = '';
  client.on('data', (text) => {
    answer += text;
  });
  for (const piece of ['in ', 'many ', 'pieces']) await new Promise((sent) => client.write(piece, sent));
  assert.equal(await outputOf(talk(t, at, 'another')), 'ok 7\n'); // served while the first is not at its end
  assert.equal(answer, '');
  client.end();
  await once(client, 'close');
  assert.equal(answer, 'ok 14\n');
  await stop(server);
});

test('one-message-server takes no more than its limit, and the client says that nothing was confirmed', async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'one-message-server', [at]);
  // An argument of a program is 128 KiB at most, so it is another client that sends too much.
  const client = net.connect(at);
  client.on('error', () => {}); // EPIPE or ECONNRESET, whichever comes first
  client.write(Buffer.alloc(2 * 1024 * 1024));
  await new Promise((closed) => client.on('close', closed));
  const { stdout } = await stop(server);
  assert.match(stdout, /no message: more than 1048576 bytes\n$/);
});

test('one-message-client fails without a server, and when the server ends without a word', async (t) => {
  const at = socketIn(t);
  const nobody = await startExample(t, 'one-message-client', ['hello', at]).ended;
  assert.deepEqual([nobody.code, nobody.stderr], [1, `connect ENOENT ${at}\n`]);
  const silent = net.createServer((client) => client.resume().on('end', () => client.end())).listen(at);
  t.after(() => void silent.close());
  const unconfirmed = await startExample(t, 'one-message-client', ['hello', at]).ended;
  assert.deepEqual([unconfirmed.code, unconfirmed.stderr], [1, 'the server did not confirm: ""\n']);
});

test('json-rpc-server answers each line: results, errors, and nothing to a notification', async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'json-rpc-server', [at]);
  const requests = [
    '{"jsonrpc": "2.0", "id": 1, "method": "add", "params": [2, 3]}',
    '{"jsonrpc": "2.0", "method": "add", "params": [2, 3]}',
    '{"jsonrpc": "2.0", "id": "two", "method": "constructor"}',
    '{"jsonrpc": "2.0", "id": 3, "method": "add"}',
    'no JSON',
    '[]',
  ];
  const answers = (await outputOf(talk(t, at, `${requests.join('\n')}\n`))).trimEnd().split('\n');
  const error = (id: unknown, code: number) => ({ jsonrpc: '2.0', id, error: { code } });
  assert.deepEqual(
    answers.map((line) => JSON.parse(line, (key, value) => (key === 'message' ? undefined : value))),
    [
      { jsonrpc: '2.0', id: 1, result: 5 },
      error('two', -32601),
      error(3, -32602),
      error(null, -32700),
      error(null, -32600),
    ],
  );
  await stop(server);
});

test('json-rpc-server cuts off a line without an end', async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'json-rpc-server', [at]);
  const client = net.connect(at);
  client.on('error', () => {}); // EPIPE or ECONNRESET, whichever comes first
  client.write('x'.repeat(1024 * 1024));
  await new Promise((closed) => client.on('close', closed));
  assert.match((await stop(server)).stdout, /client lost: a line of more than 65536 characters\n$/);
});

test('deadline-server answers who speaks, and cuts off who is silent', async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'deadline-server', [at, '300', '60000']);
  assert.equal(await outputOf(talk(t, at, 'hello\n')), 'you said hello\n');
  const silent = net.connect(at).resume();
  await once(silent, 'close');
  assert.match(await server.line(), /^cut off after \d+ ms: it was idle$/);
  await stop(server);
});

test('deadline-server cuts off who sends a byte now and then for too long', async (t) => {
  const at = socketIn(t);
  const server = await startServer(t, 'deadline-server', [at, '60000', '300']);
  const slow = net.connect(at).resume();
  slow.on('error', () => {}); // EPIPE, when a byte meets the end
  const drip = setInterval(() => slow.write('.'), 20);
  await new Promise((closed) => slow.on('close', closed));
  clearInterval(drip);
  assert.match(await server.line(), /^cut off after \d+ ms: it took too long$/);
  await stop(server);
});
