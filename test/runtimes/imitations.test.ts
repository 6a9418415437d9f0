// Bun and Deno, imitated by a Node that lacks what they lack: lacks.test.ts finds the same there. The matrix runs it in them.
import assert from 'node:assert/strict';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { adoptServer, Fd } from 'fdpass';
import { binding } from '#fdpass/native/binding';
import { start } from '../helpers/child';

function tcpListener(): Fd {
  return Fd.own(binding.listenTcp('127.0.0.1', 0, 8, false, false));
}

const compiled = path.join(__dirname, '..');

for (const [runtime, lacking] of [
  ['Bun', 9],
  ['Deno', 7],
] as const) {
  test(`what ${runtime} lacks fails with ERR_FDPASS_UNSUPPORTED_RUNTIME, and the rest works`, async (t) => {
    const { NODE_TEST_CONTEXT: _, ...env } = process.env;
    const preload = `--require=${path.join(compiled, 'helpers/other-runtime.js')}`;
    const args = ['--no-warnings', preload, '--test-reporter=tap', path.join(__dirname, 'lacks.test.js')];
    const child = start(t, process.execPath, args, { env: { ...env, FDPASS_TEST_RUNTIME: runtime } });
    const { code, stdout, stderr } = await child.ended;
    assert.equal(code, 0, stdout + stderr);
    const refused = stdout.match(new RegExp(`^ok \\d+ - .* says that ${runtime} cannot do it$`, 'gm'));
    assert.equal(refused?.length, lacking, stdout);
  });
}

test('a server that listens elsewhere than on its descriptor is closed, and the descriptor is the caller’s', async (t) => {
  const [fd, elsewhere] = [tcpListener(), tcpListener()];
  t.after(() => fd.close());
  class Deaf extends net.Server {
    override listen(): this {
      return super.listen({ fd: elsewhere.detach() });
    }
  }
  const server = new Deaf();
  await assert.rejects(adoptServer(server, fd), { code: 'ERR_FDPASS_UNSUPPORTED_RUNTIME' });
  assert.equal(server.listening, false);
  assert.equal(fd.describe().listening, true);
});
