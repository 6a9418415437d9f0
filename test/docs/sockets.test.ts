// The programs of docs/sockets.md: what a reader copies does what the text says.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { buffer } from 'node:stream/consumers';
import { test } from 'node:test';
import { setImmediate as nextTurn } from 'node:timers/promises';
import { Fd, UnixServer, UnixStream } from 'fdpass';
import { freshName } from '../helpers/address-name';
import { closeAfter } from '../helpers/link';
import { destroyAfter, openPair } from '../helpers/streams';

const text = readFileSync(
  path.join(path.dirname(require.resolve('fdpass/package.json')), 'docs/sockets.md'),
  'utf8',
);
const programs = [...text.matchAll(/```js\n([\s\S]*?)```/g)].map(([, program]) => program as string);

/** Runs the program that has these words; the names that it uses and does not make are given. */
function run(words: string, names: Record<string, unknown>): void {
  const found = programs.filter((program) => program.includes(words));
  assert.equal(found.length, 1);
  new Function(...Object.keys(names), found[0] as string)(...Object.values(names));
}

/** More than all buffers on the way hold, and of no period that the size of a buffer is a multiple of. */
const BYTES = Buffer.from(Uint32Array.from({ length: 1 << 19 }, (_, index) => index).buffer);

test('the proxy with a buffer of its own passes every byte on, also to a slow reader', async (t) => {
  const address = `@${freshName()}`;
  const server = new UnixServer().on('connection', (source) => source.end(BYTES)).listen(address);
  closeAfter(t, server);
  const [down, client] = openPair(t);
  run('down.write(', { UnixStream, address, down });
  // Nobody reads until all is full: what is not written must not be overwritten meanwhile.
  while (down.writableLength === 0) await nextTurn();
  for (let turns = 0; turns < 20; turns++) await nextTurn();
  assert.ok(BYTES.equals(await buffer(client)));
});

test('an accepted connection that is adopted with a buffer loses nothing', async (t) => {
  const server = new UnixServer().listen(`@${freshName()}`);
  closeAfter(t, server);
  const received = new Promise<Buffer>((resolve) => {
    const pieces: Buffer[] = [];
    const onreadOf = (connection: () => UnixStream) => ({
      buffer: Buffer.alloc(4096),
      callback(size: number, piece: Uint8Array): boolean {
        pieces.push(Buffer.from(piece.subarray(0, size)));
        if (pieces.length === 1) {
          destroyAfter(t, connection());
          connection().once('end', () => resolve(Buffer.concat(pieces)));
        }
        return true;
      },
    });
    run('Fd.dup(accepted)', { server, UnixStream, Fd, onreadOf });
  });
  const client = UnixStream.connect(server.address());
  destroyAfter(t, client);
  client.end(BYTES);
  assert.ok(BYTES.equals(await received));
  assert.equal(server.connections, 0);
});
