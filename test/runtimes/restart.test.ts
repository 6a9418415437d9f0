// upgrade() to a successor in the runtime that this is: Node here, Bun and Deno in the matrix.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import net from 'node:net';
import test from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { freshName } from '../helpers/address-name';
import { type Child, startFixture } from '../helpers/child';

/** Bun cannot do http: see lacks.test.ts */
const kinds = process.versions['bun'] === undefined ? ['net', 'http'] : ['net'];

interface Said {
  pid: number;
  generation: number;
  port: number;
  state: unknown;
}

async function ready(child: Child): Promise<Said> {
  const said = JSON.parse(await child.line());
  assert.ok('pid' in said, JSON.stringify(said));
  return said;
}

/** One request on a connection of its own. @returns the generation that has answered */
async function ask(port: number): Promise<number> {
  const socket = net.connect(port, '127.0.0.1');
  let text = '';
  socket.setEncoding('utf8').on('data', (chunk: string) => {
    text += chunk;
  });
  socket.write('GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n');
  await once(socket, 'close'); // rejects for an error
  const [, generation] = /generation (\d+)/.exec(text) ?? assert.fail(`no answer: ${JSON.stringify(text)}`);
  return Number(generation);
}

for (const kind of kinds) {
  test(`a server of ${kind} that restarts itself under requests fails none, and hands its state on`, async (t) => {
    const child = startFixture(t, 'restart', [kind, `@${freshName()}`]);
    const first = await ready(child);
    const answers: number[] = [];
    let running = true;
    const asking = (async () => {
      for (; running; await nextTurn()) answers.push(await ask(first.port));
    })();
    while (answers.length < 5) await Promise.race([nextTurn(), asking]);
    const exited = once(child.process, 'exit');
    process.kill(first.pid, 'SIGHUP'); // by child.kill() Deno takes it for what the process has died of
    const second = await ready(child);
    t.after(() => void (child.process.stdout?.readable && process.kill(second.pid, 'SIGTERM')));
    assert.deepEqual([second.generation, second.port, second.state], [2, first.port, { from: 1 }]);
    assert.deepEqual(await exited, [0, null]);
    const count = answers.length;
    while (answers.length < count + 5) await Promise.race([nextTurn(), asking]);
    running = false;
    await asking;
    assert.deepEqual(new Set(answers), new Set([1, 2]));
    assert.equal(answers.at(-1), 2);
    process.kill(second.pid, 'SIGTERM');
    await child.ended; // with the last of them, which has the same stdout
  });
}
