// What comes to the meeting point of a pool and is no worker of it.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import { createPool } from '#fdpass/pool/pool';
import { start } from '../helpers/child';
import { tmpDir } from '../helpers/tmp-dir';

const EXEC = path.join(__dirname, '..', 'fixtures', 'pool-worker.js');

test('who says that he is a worker of an absurd generation is turned away, and a roll goes on', async (t) => {
  const address = path.join(tmpDir(t), 'control');
  const timeouts = { drain: 5_000, exit: 1_000, warm: 20_000 };
  const quick = { execArgv: [], probationMs: 0, timeouts, workers: 1 };
  const pool = await createPool({ name: 'shop', address, exec: EXEC, output: 'event', ...quick });
  t.after(() => pool.close());
  const back = { worker: 1, generation: Number.MAX_SAFE_INTEGER, ready: true, listeners: [] };
  const script = `
    const { UnixSeqpacket } = require('fdpass');
    const socket = new UnixSeqpacket().connect(${JSON.stringify(`${address}.workers`)});
    void socket.send(JSON.stringify({ type: 'hello', versions: [1, 1], pid: process.pid, back: ${JSON.stringify(back)} }));
    socket.on('message', ({ data }) => console.log(String(data))).on('end', () => socket.close());`;
  const { code, stdout, stderr } = await start(t, process.execPath, ['-e', script]).ended;
  assert.deepEqual([code, stdout], [0, ''], stderr);
  await pool.restart();
  const serving = pool.status().workers.filter(({ state }) => state === 'serving');
  assert.deepEqual(
    serving.map(({ generation }) => generation),
    [2],
  );
});
