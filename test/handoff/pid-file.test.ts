// The pid file and the restart signal: what operators and supervisors hold on to.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, lstatSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import test from 'node:test';
import { createHandoff } from 'fdpass';
import { PidFile } from '#fdpass/handoff/pid-file';
import { failureOf } from '../helpers/outcome';
import { RawPeer } from '../helpers/raw-peer';
import { Service } from '../helpers/service';
import { tmpDir } from '../helpers/tmp-dir';

function pidIn(file: string): number {
  return Number(readFileSync(file, 'utf8'));
}

async function started(t: test.TestContext): Promise<{ service: Service; first: number; file: string }> {
  const service = new Service(t);
  const file = path.join(service.folder, 'shop.pid');
  const first = await service.start({ handoff: { pidFile: file, restartOn: 'SIGHUP' } });
  return { service, first, file };
}

test('the pid file names whoever owns the service, and goes with the last one', async (t) => {
  const { service, first, file } = await started(t);
  assert.equal(readFileSync(file, 'utf8'), `${first}\n`);
  assert.equal((await service.run('restart', 'shop')).code, 0);
  const second = await service.says('ready');
  assert.equal(pidIn(file), second);
  assert.deepEqual(
    readdirSync(service.folder).sort(),
    ['fdpass', 'mode', 'shop.pid'],
    'a temporary file is left',
  );
  process.kill(second, 'SIGTERM');
  await service.gone();
  assert.ok(!existsSync(file));
});

test('the pid file does not change while the new process is on probation', async (t) => {
  const { service, first, file } = await started(t);
  service.next('probation');
  const restart = service.startCli('restart', 'shop');
  await service.says('ready');
  assert.equal(pidIn(file), first);
  await service.run('abort', 'shop');
  assert.equal((await restart.ended).code, 2);
  assert.equal(pidIn(file), first);
});

test('a process that has to serve again puts its own id back', async (t) => {
  const { service, first, file } = await started(t);
  const peer = new RawPeer(service.address);
  await peer.advance('commit');
  writeFileSync(file, '1\n'); // as a successor does that owns everything
  await peer.send('ACCEPTING', { inherited: [] });
  await peer.close(); // FINAL has no reader
  await service.says('rolledback');
  assert.equal(pidIn(file), first);
});

test('a pid file that names somebody else is left alone', async (t) => {
  const { service, first, file } = await started(t);
  writeFileSync(file, '1\n');
  process.kill(first, 'SIGTERM');
  await service.gone();
  assert.equal(pidIn(file), 1);
});

test('a pid file that cannot be written is a warning, and the service goes on', async (t) => {
  const service = new Service(t);
  const pidFile = path.join(service.folder, 'none', 'shop.pid');
  const first = await service.start({ handoff: { pidFile } });
  await service.hears(/^warning Warning: the pid file .*none\/shop\.pid could not be written: ENOENT/);
  const { said } = await service.json('status', 'shop');
  assert.deepEqual([said.status.pid, said.status.state], [first, 'serving']);
});

test('a leftover or a link in the place of the temporary file does no harm', (t) => {
  const folder = tmpDir(t);
  const file = path.join(folder, 'a.pid');
  const victim = path.join(folder, 'victim');
  writeFileSync(victim, 'precious');
  symlinkSync(victim, `${file}.7`);
  new PidFile(file, 7).write();
  assert.equal(readFileSync(file, 'utf8'), '7\n');
  assert.equal(readFileSync(victim, 'utf8'), 'precious');
  assert.deepEqual(readdirSync(folder).sort(), ['a.pid', 'victim']);
});

test('what is no regular file is neither replaced nor removed', async (t) => {
  const folder = tmpDir(t);
  const target = path.join(folder, 'target');
  const link = path.join(folder, 'link.pid');
  const fifo = path.join(folder, 'fifo.pid');
  symlinkSync(target, link);
  execFileSync('mkfifo', [fifo]);
  for (const file of [link, fifo]) {
    const warned = once(process, 'warning');
    new PidFile(file, 7).write();
    const [warning] = (await warned) as [Error & { code: string }];
    assert.equal(warning.code, 'FDPASS_PID_FILE');
    assert.match(warning.message, /no regular file/);
    writeFileSync(target, '7\n');
    new PidFile(file, 7).remove();
  }
  assert.deepEqual(readdirSync(folder).sort(), ['fifo.pid', 'link.pid', 'target']);
  assert.ok(lstatSync(link).isSymbolicLink() && lstatSync(fifo).isFIFO());
});

test('the signal restarts the service', async (t) => {
  const { service, first, file } = await started(t);
  process.kill(first, 'SIGHUP');
  const second = await service.says('ready');
  assert.equal(pidIn(file), second);
  process.kill(second, 'SIGHUP');
  assert.notEqual(await service.says('ready'), second, 'the next one has it, too');
});

test('a restart by signal that fails is a warning with the reason, and the old process serves', async (t) => {
  const { service, first } = await started(t);
  service.next('exit');
  process.kill(first, 'SIGHUP');
  const { pid } = await service.hears(/^warning UpgradeError: the successor exited with code 7/);
  assert.equal(pid, first);
  const { said } = await service.json('status', 'shop');
  assert.deepEqual([said.status.pid, said.status.state], [first, 'serving']);
});

test('a signal that comes twice, or to a process that is not ready, is a warning and ends nobody', async (t) => {
  const { service, first } = await started(t);
  service.next('slow');
  process.kill(first, 'SIGHUP');
  const second = await service.says('warm');
  process.kill(first, 'SIGHUP');
  const busy = await service.hears(/^warning \w+: another upgrade is in progress/);
  assert.equal(busy.pid, first);
  process.kill(second, 'SIGHUP');
  const early = await service.hears(/^warning \w+: a process that is starting cannot be upgraded/);
  assert.equal(early.pid, second);
  process.kill(second, 'SIGUSR2');
  assert.equal(await service.says('ready'), second);
});

test('a signal to a process that drains ends neither it nor its connections', async (t) => {
  const { service, first } = await started(t);
  const { listeners } = (await service.json('status', 'shop')).said.status;
  const client = net.connect(Number(listeners[0].address.split(':')[1]), '127.0.0.1');
  t.after(() => client.destroy());
  client.on('error', () => {}); // cut by the end of the test
  await once(client, 'connect');
  assert.equal((await service.run('restart', 'shop')).code, 0);
  process.kill(first, 'SIGHUP');
  const { pid } = await service.hears(/^warning \w+: a process that is superseded cannot be upgraded/);
  assert.equal(pid, first);
  const { said } = await service.json('status', 'shop');
  const [, before] = said.status.generations;
  assert.deepEqual([before.pid, before.state], [first, 'draining']);
});

test('a signal that cannot be caught, and a pid file without a name, are refused', async () => {
  const name = 'pid-file-test';
  for (const restartOn of ['SIGKILL', 'SIGSTOP', 'HUP', 1, 'toString']) {
    const { code, message } = await failureOf(createHandoff({ name, restartOn: restartOn as 'SIGHUP' }));
    assert.equal(code, 'ERR_INVALID_ARG_TYPE');
    assert.match(message, /options\.restartOn must be a signal that can be caught/);
  }
  for (const pidFile of ['', 5]) {
    const { code } = await failureOf(createHandoff({ name, pidFile: pidFile as string }));
    assert.equal(code, 'ERR_INVALID_ARG_TYPE');
  }
});
