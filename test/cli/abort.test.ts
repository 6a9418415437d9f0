// fdpass abort: what can be called off, and what not.
import assert from 'node:assert/strict';
import test from 'node:test';
import { Service } from '../helpers/service';

for (const [mode, line, state, before] of [
  ['hang', 'booted', 'starting', false],
  ['slow', 'warm', 'warm', false],
  ['probation', 'ready', 'probation', true],
] as const) {
  test(`an upgrade is called off in state ${state}, whoever waits for it is told, and the old process serves`, async (t) => {
    const service = new Service(t);
    const first = await service.start();
    service.next(mode);
    const restart = service.startCli('restart', 'shop', '--json');
    const second = await service.says(line);
    const { code, said } = await service.json('abort', 'shop');
    assert.equal(code, 0);
    assert.deepEqual(said, { outcome: 'aborted', pid: second, state, rolledBack: before });
    const { code: restarted, stdout } = await restart.ended;
    const { outcome, reason } = JSON.parse(stdout);
    assert.deepEqual([restarted, outcome], before ? [2, 'rolledback'] : [1, 'failed']);
    assert.match(reason, /called off by fdpass abort \(process \d+\)/);
    const { status } = (await service.json('status', 'shop')).said;
    assert.deepEqual([status.pid, status.state], [first, 'serving']);
    service.next('good');
    assert.equal((await service.run('restart', 'shop')).code, 0, 'the next one works');
  });
}

test('a takeover that nobody asked this service for is called off, too', async (t) => {
  const service = new Service(t);
  await service.start();
  service.next('slow');
  const other = service.startService();
  assert.match(await other.line(), /^booted/);
  assert.match(await other.line(), /^warm/);
  const second = other.process.pid;
  const { code, stdout } = await service.run('abort', 'shop');
  assert.deepEqual([code, stdout], [0, `process ${second} was called off in state warm\n`]);
  await service.says('aborted');
  other.process.kill('SIGUSR2');
  const { code: exit, stderr } = await other.ended;
  assert.equal(exit, 1, 'its ready() fails');
  assert.match(stderr, /called off by fdpass abort/);
});

test('where nothing is under way it is exit code 1', async (t) => {
  const service = new Service(t);
  await service.start();
  const { code, stdout, stderr } = await service.run('abort', 'shop');
  assert.deepEqual([code, stdout, stderr], [1, '', 'fdpass abort: no upgrade is under way\n']);
  const { said } = await service.json('abort', 'shop');
  assert.deepEqual(said, { outcome: 'nothing', reason: 'no upgrade is under way' });
});
