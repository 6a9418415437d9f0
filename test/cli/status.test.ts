// fdpass status and ps: what runs, for people and for scripts, and what stands where nothing runs.
import assert from 'node:assert/strict';
import { mkdirSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { UnixDatagram } from 'fdpass';
import { failureText } from '#fdpass/cli/status';
import type { PoolStatus } from '#fdpass/handoff/pool-status';
import { start } from '../helpers/child';
import { bin, runCli } from '../helpers/cli';
import { Service } from '../helpers/service';
import { tmpDir } from '../helpers/tmp-dir';

const program = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);

function holdConnection(t: test.TestContext, address: string): Promise<void> {
  const agent = new http.Agent({ keepAlive: true });
  t.after(() => agent.destroy());
  return new Promise((resolve, reject) => {
    const request = http.get(`http://${address}`, { agent }, (response) => {
      response.resume().once('end', resolve);
    });
    request.once('error', reject);
  });
}

/** Generation, process and state of each. */
function seen(status: {
  generations: { generation: number; pid: number; state: string }[];
}): [number, number, string][] {
  return status.generations.map(({ generation, pid, state }) => [generation, pid, state]);
}

test('status shows the process, its listeners with addresses, and open connections', async (t) => {
  const service = new Service(t);
  const pid = await service.start();
  const { said } = await service.json('status', 'shop');
  const [listener] = said.status.listeners;
  await holdConnection(t, listener.address);
  const { code, stdout, stderr } = await service.run('status', 'shop');
  assert.deepEqual([code, stderr], [0, '']);
  assert.match(
    stdout,
    new RegExp(
      '^shop\n\nGENERATION +PID +STATE +AGE +CONNECTIONS +MEMORY\n' +
        `1 +${pid} +serving +[\\d.]+ s +1 +\\d+ MB\n\n` +
        `LISTENER +ADDRESS +FROM +CONNECTIONS\nweb +${listener.address} +bound +1\n$`,
    ),
  );
});

test('status --json is one object for scripts', async (t) => {
  const service = new Service(t);
  const pid = await service.start();
  const { code, said, stderr } = await service.json('status', 'shop');
  assert.deepEqual([code, stderr], [0, '']);
  const { outcome, status, ...rest } = said;
  assert.deepEqual([outcome, rest], ['status', {}]);
  const { ageMs, rssBytes, listeners, ...facts } = status;
  const { generations, ...others } = facts;
  assert.deepEqual(others, { name: 'shop', pid, generation: 1, state: 'serving', connections: 0 });
  const [{ ageMs: age, rssBytes: rss, ...self }, ...more] = generations;
  assert.deepEqual([self, more], [{ generation: 1, pid, state: 'serving', connections: 0 }, []]);
  assert.ok(age > 0 && rss > 1e6);
  assert.ok(ageMs > 0 && ageMs < 60_000);
  assert.ok(rssBytes > 1e6);
  const [{ address, ...listener }] = listeners;
  assert.match(address, /^127\.0\.0\.1:\d+$/);
  assert.deepEqual(listener, { name: 'web', inherited: false, connections: 0 });
});

test('status shows the successor that warms up, and does not disturb it', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  service.next('slow');
  const restart = service.startCli('restart', 'shop');
  const second = await service.says('warm');
  const { status } = (await service.json('status', 'shop')).said;
  assert.equal(status.pid, first);
  assert.deepEqual(seen(status), [
    [2, second, 'warm'],
    [1, first, 'serving'],
  ]);
  const { stdout } = await service.run('status', 'shop');
  assert.match(stdout, new RegExp(`^2 +${second} +warm +.*\n1 +${first} +serving `, 'm'));
  process.kill(second, 'SIGUSR2');
  assert.equal((await restart.ended).code, 0);
});

test('on probation whoever answers names the other', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  service.next('probation');
  service.startCli('restart', 'shop');
  const second = await service.says('ready');
  for (let i = 0; i < 4; i++) {
    const { status } = (await service.json('status', 'shop')).said;
    assert.deepEqual(seen(status), [
      [2, second, 'probation'],
      [1, first, 'standby'],
    ]);
    assert.equal(status.state, status.pid === first ? 'standby' : 'probation');
    const [, before] = status.generations;
    assert.ok(before.rssBytes > 1e6, 'whoever answers knows how the old one is');
  }
});

test('status shows all that drain, with their connections and memory, until they have ended', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  const { listeners } = (await service.json('status', 'shop')).said.status;
  await holdConnection(t, listeners[0].address);
  assert.equal((await service.run('restart', 'shop')).code, 0);
  const second = (await service.json('status', 'shop')).said.status.pid;
  await holdConnection(t, listeners[0].address);
  assert.equal((await service.run('restart', 'shop')).code, 0);
  const { status } = (await service.json('status', 'shop')).said;
  assert.deepEqual(seen(status), [
    [3, status.pid, 'serving'],
    [2, second, 'draining'],
    [1, first, 'draining'],
  ]);
  for (const { connections, rssBytes, ageMs } of status.generations.slice(1)) {
    assert.equal(connections, 1);
    assert.ok(rssBytes > 1e6 && ageMs > 0);
  }
  assert.match(
    (await service.run('status', 'shop')).stdout,
    new RegExp(
      `^2 +${second} +draining +[\\d.]+ s +1 +\\d+ MB\n1 +${first} +draining +[\\d.]+ s +1 +\\d+ MB$`,
      'm',
    ),
  );
  process.kill(first, 'SIGKILL');
  process.kill(second, 'SIGKILL');
  await service.says('settled');
  assert.deepEqual(seen((await service.json('status', 'shop')).said.status), [[3, status.pid, 'serving']]);
});

/** The socket of a process that was killed. */
async function leave(file: string): Promise<void> {
  await new UnixDatagram().bind(file, { unlinkOnClose: false }).close();
}

test('what has failed is called by what it was', () => {
  const pool: PoolStatus = { kind: 'processes', size: 1, listeners: [], workers: [] };
  for (const [code, of, what] of [
    ['ERR_HANDOFF_TIMEOUT', {}, 'An upgrade'],
    ['ERR_HANDOFF_TIMEOUT', { pool }, 'A takeover'],
    ['ERR_POOL_WORKER', { pool }, 'A roll'],
    ['ERR_POOL_ABORTED', { pool }, 'A roll'],
  ] as const) {
    const text = failureText({ ...of, lastFailure: { code, reason: 'no good', agoMs: 5_000 } });
    assert.equal(text, `\n${what} failed 5.0 s ago: no good (${code})\n`);
  }
  assert.equal(failureText({ pool }), '');
});

test('NAME is asked for as those know it who run a program', async (t) => {
  const { code, stderr } = await runCli(t, 'status');
  assert.equal(code, 64);
  assert.match(
    stderr,
    /NAME is missing: what the service gives to createHandoff\(\), or to fdpass run --name/,
  );
});

test('ps lists what runs, and remarks on what does not answer', async (t) => {
  const service = new Service(t);
  const pid = await service.start();
  const left = path.join(service.folder, 'fdpass', 'left.sock');
  await leave(left);
  const { code, stdout, stderr } = await service.run('ps');
  assert.equal(code, 0);
  assert.match(
    stdout,
    new RegExp(
      `^NAME +GENERATION +PID +STATE +AGE +CONNECTIONS +MEMORY\nshop +1 +${pid} +serving +[\\d.]+ s +0 +\\d+ MB\n$`,
    ),
  );
  assert.equal(stderr, `fdpass ps: left: nobody listens on ${left}; the file is a leftover\n`);
});

test('ps --json has a status or a reason for each', async (t) => {
  const service = new Service(t);
  const pid = await service.start();
  const left = path.join(service.folder, 'fdpass', 'left.sock');
  await leave(left);
  const { code, said } = await service.json('ps');
  assert.equal(code, 0);
  const [dead, alive, ...others] = said;
  assert.deepEqual(others, []);
  const reason = `nobody listens on ${left}; the file is a leftover`;
  assert.deepEqual(dead, { name: 'left', address: left, code: 'ERR_HANDOFF_NOBODY', reason });
  assert.deepEqual([alive.name, alive.address, alive.status.pid], ['shop', service.address, pid]);
});

test('ps where nothing ever ran is no failure', async (t) => {
  const service = new Service(t);
  const { code, stdout, stderr } = await service.run('ps');
  const nothing = `fdpass ps: nothing runs as this user in ${path.join(service.folder, 'fdpass')}\n`;
  assert.deepEqual([code, stdout, stderr], [0, '', nothing]);
  assert.deepEqual((await service.json('ps')).said, []);
});

test('an XDG_RUNTIME_DIR that does not exist is told, each command', async (t) => {
  const env = { ...process.env, XDG_RUNTIME_DIR: path.join(tmpDir(t), 'missing') };
  for (const args of [['ps'], ['status', 'shop'], ['restart', 'shop'], ['abort', 'shop']]) {
    const { code, stdout, stderr } = await start(t, process.execPath, [program, ...args], { env }).ended;
    assert.deepEqual([code, stdout], [1, '']);
    assert.match(
      stderr,
      /^fdpass \w+: stat ENOENT: XDG_RUNTIME_DIR names \S+\/missing, a folder that does not exist; /,
    );
  }
});

test('ps remarks on files that are no control sockets, whatever they are', async (t) => {
  const service = new Service(t);
  const pid = await service.start();
  const folder = path.join(service.folder, 'fdpass');
  const long = path.join(folder, `${'n'.repeat(120)}.sock`);
  writeFileSync(path.join(folder, 'plain.sock'), '');
  mkdirSync(path.join(folder, 'folder.sock'));
  writeFileSync(long, '');
  const { code, said } = await service.json('ps');
  assert.equal(code, 0);
  const [directory, tooLong, plain, shop, ...others] = said;
  assert.deepEqual([shop.status.pid, others], [pid, []]);
  for (const { code: why, reason } of [directory, plain]) {
    assert.equal(why, 'ERR_HANDOFF_NOBODY');
    assert.match(reason, /^nobody listens on \S+: it is no socket; give /);
  }
  const { name, address, code: why, reason } = tooLong;
  assert.deepEqual([name, address, why], ['n'.repeat(120), long, 'ERR_OUT_OF_RANGE']);
  assert.match(reason, /at most 107 bytes long/);
  const { stdout, stderr } = await service.run('ps');
  assert.match(stdout, new RegExp(`^shop +1 +${pid} `, 'm'));
  assert.match(stderr, /^fdpass ps: n{120}: .*at most 107 bytes long/m);
});

test('a directory that others may write to is not trusted: people and scripts are told, each command', async (t) => {
  const service = new Service(t);
  mkdirSync(path.join(service.folder, 'fdpass'), { mode: 0o755 });
  const text = /must be a directory of uid \d+ with mode 0700/;
  for (const args of [['ps'], ['status', 'shop'], ['restart', 'shop'], ['abort', 'shop']]) {
    const { code, said, stderr } = await service.json(...args);
    const { reason, ...rest } = said;
    assert.deepEqual([code, rest], [1, { outcome: 'unknown', code: 'ERR_HANDOFF_UNSAFE_DIRECTORY' }]);
    assert.match(reason, text);
    assert.equal(stderr, `fdpass ${args[0]}: ${reason}\n`);
    const { stdout, ...plain } = await service.run(...args);
    assert.deepEqual([plain.code, stdout, plain.stderr], [1, '', stderr]);
  }
});
