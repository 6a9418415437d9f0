// The examples that speak HTTP: over a unix socket, and over TCP where fdpass has none.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import { test } from 'node:test';
import { start } from '../helpers/child';
import { freePort } from '../helpers/free-port';
import { tmpDir } from '../helpers/tmp-dir';
import { isInstalled } from './client';
import { outputOf, startExample, startServer, stop } from './example';

/** Status and body. */
function get(options: http.RequestOptions): Promise<[number | undefined, string]> {
  return new Promise((resolve, reject) => {
    http
      .get({ agent: false, ...options }, async (response) => {
        let body = '';
        for await (const piece of response.setEncoding('utf8')) body += piece;
        resolve([response.statusCode, body]);
      })
      .on('error', reject);
  });
}

test('http-server answers on its path, to node:http and to curl', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = await startServer(t, 'http-server', [at]);
  assert.deepEqual(await get({ socketPath: at, path: '/one' }), [200, 'you asked for /one\n']);
  assert.equal(await server.line(), 'GET /one');
  if (isInstalled('curl')) {
    const curl = start(t, 'curl', ['-sS', '--unix-socket', at, 'http://localhost/two']);
    assert.equal(await outputOf(curl), 'you asked for /two\n');
  }
  await stop(server);
});

test('tcp-fallback listens on its unix socket on Linux, and needs no secret', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const server = startExample(t, 'tcp-fallback', [at]);
  assert.equal(await server.line(), `curl --unix-socket ${at} http://localhost/`);
  assert.deepEqual(await get({ socketPath: at }), [200, 'hello over a unix socket\n']);
  await stop(server);
});

// The platform is decided when fdpass is loaded; the line is the one that the example's header gives.
const elsewhere = [
  '--import',
  'data:text/javascript,Object.defineProperty(process,"platform",{value:"win32"})',
];

test('tcp-fallback listens on localhost where fdpass has no sockets, and asks for its secret', async (t) => {
  const at = path.join(tmpDir(t), 's');
  const port = await freePort();
  const server = startExample(t, 'tcp-fallback', [at, String(port)], elsewhere);
  const line = await server.line();
  const [, authorization] =
    /^curl -H 'Authorization: (Bearer [^']+)' http:\/\/127\.0\.0\.1:(\d+)\/$/.exec(line) ?? [];
  assert.ok(authorization, line);
  assert.ok(line.endsWith(`:${port}/`), line);
  const host = '127.0.0.1';
  assert.deepEqual(await get({ host, port, headers: { authorization } }), [200, 'hello over TCP\n']);
  assert.deepEqual(await get({ host, port }), [401, '']);
  assert.deepEqual(await get({ host, port, headers: { authorization: 'Bearer wrong' } }), [401, '']);
  assert.equal(existsSync(at), false);
  await stop(server);
});

test('tcp-fallback does not open a port when its path cannot be used', async (t) => {
  const at = path.join(tmpDir(t), 'no-such-folder', 's');
  const { code, stdout, stderr } = await startExample(t, 'tcp-fallback', [at]).ended;
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(stderr, /bind ENOENT/);
});
