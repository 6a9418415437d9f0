// TLS in a pool: sessions are resumed at whichever worker.
import assert from 'node:assert/strict';
import path from 'node:path';
import { test } from 'node:test';
import tls from 'node:tls';
import { type Balance, createPool } from 'fdpass/pool';
import { selfSigned } from '../helpers/certificate';

const EXEC = path.join(__dirname, '..', 'fixtures', 'tls-worker.js');
const BALANCES: readonly Balance[] = ['kernel', 'least'];

/** @returns the worker that answers, and what resumes this session */
function visit(port: number, session?: Buffer): Promise<{ pid: number; reused: boolean; session: Buffer }> {
  return new Promise((resolve, reject) => {
    const options = { port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion: 'TLSv1.2' as const };
    const socket = tls.connect({ ...options, ...(session === undefined ? {} : { session }) });
    socket.on('error', reject);
    socket.once('data', (text) => {
      resolve({
        pid: Number(text.toString()),
        reused: socket.isSessionReused(),
        session: socket.getSession() as Buffer,
      });
      socket.destroy();
    });
  });
}

for (const balance of BALANCES) {
  test(`${balance}: a session of one worker is resumed at the other, and after a roll`, async (t) => {
    const { key, cert } = selfSigned(t);
    const env = { KEY: key.toString(), CERT: cert.toString() };
    const pool = await createPool({ exec: EXEC, register: true, workers: 2, balance, env, probationMs: 0 });
    t.after(() => pool.close());
    const port = Number(pool.status().listeners[0]?.address.split(':').at(-1));
    const first = await visit(port);
    assert.equal(first.reused, false);
    const pids = new Set<number>();
    while (pids.size < 2) {
      const again = await visit(port, first.session);
      assert.equal(again.reused, true, `at ${again.pid === first.pid ? 'the same' : 'the other'} worker`);
      pids.add(again.pid);
    }
    await pool.restart();
    assert.equal((await visit(port, first.session)).reused, true);
  });
}
