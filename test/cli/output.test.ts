// What becomes of a command whose stdout or stderr cannot be written: the exit code stays true, and nobody sees a trace.
import assert from 'node:assert/strict';
import { closeSync, openSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { type Ended, start } from '../helpers/child';
import { bin } from '../helpers/cli';
import { openPipe } from '../helpers/pipe';
import { Service } from '../helpers/service';
import { within } from '../helpers/stage';

const file = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);

type Sink = (t: test.TestContext) => number;

/** Every write to it is ENOSPC. */
const full: Sink = (t) => {
  const fd = openSync('/dev/full', 'w');
  t.after(() => closeSync(fd));
  return fd;
};

/** Its reader has gone: every write to it is EPIPE. */
const broken: Sink = (t) => {
  const { reader, writer } = openPipe(t);
  reader.close();
  return writer.fd;
};

const SINKS = { 'is full': full, 'has lost its reader': broken };

/** Runs a command with `fd` for its stdout (1) or stderr (2). */
async function runInto(
  service: Service,
  t: test.TestContext,
  to: 1 | 2,
  fd: number,
  args: string[],
): Promise<Ended> {
  const stdio = ['ignore', to === 1 ? fd : 'pipe', to === 2 ? fd : 'pipe'] as ('ignore' | 'pipe' | number)[];
  return await within(
    args.join(' '),
    () => start(t, process.execPath, [file, ...args], { stdio, env: service.env }).ended,
  );
}

for (const [how, sink] of Object.entries(SINKS)) {
  test(`a restart whose stderr ${how} prints its receipt, with exit code 0`, async (t) => {
    const service = new Service(t);
    const first = await service.start();
    const { code, stdout } = await runInto(service, t, 2, sink(t), ['restart', 'shop', '--json']);
    assert.equal(code, 0);
    const { outcome, receipt } = JSON.parse(stdout);
    assert.deepEqual([outcome, receipt.predecessor.pid], ['committed', first]);
  });

  test(`a command that fails and whose stderr ${how} has its exit code and its object`, async (t) => {
    const service = new Service(t);
    await service.start();
    service.next('sick');
    const { code, stdout } = await runInto(service, t, 2, sink(t), ['restart', 'shop', '--json']);
    assert.deepEqual([code, JSON.parse(stdout).outcome], [2, 'rolledback']);
    for (const command of ['status', 'abort', 'restart']) {
      const nobody = await runInto(service, t, 2, sink(t), [command, 'none', '--json']);
      assert.deepEqual([nobody.code, JSON.parse(nobody.stdout).code], [1, 'ERR_HANDOFF_NOBODY']);
    }
  });
}

test('a restart whose receipt cannot be printed says so in a line, with the exit code of its outcome', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  const { code, stderr } = await runInto(service, t, 1, full(t), ['restart', 'shop', '--json']);
  assert.equal(code, 0);
  assert.match(stderr, /\nfdpass: the result could not be printed: ENOSPC: [^\n]+\n$/);
  assert.doesNotMatch(stderr, / at /);
  assert.notEqual((await service.json('status', 'shop')).said.status.pid, first);
  service.next('exit');
  const failed = await runInto(service, t, 1, full(t), ['restart', 'shop', '--json']);
  assert.equal(failed.code, 1);
  assert.match(failed.stderr, /the old process serves on\n/);
  service.next('sick');
  assert.equal((await runInto(service, t, 1, full(t), ['restart', 'shop', '--json'])).code, 2);
});

test('an upgrade is called off with exit code 0, printed or not', async (t) => {
  const service = new Service(t);
  await service.start();
  service.next('slow');
  const restart = service.startCli('restart', 'shop');
  await service.says('warm');
  const { code, stderr } = await runInto(service, t, 1, full(t), ['abort', 'shop']);
  assert.equal(code, 0);
  assert.match(stderr, /^fdpass: the result could not be printed: ENOSPC: [^\n]+\n$/);
  assert.equal((await restart.ended).code, 1);
});

const PRINTING = [['status', 'shop'], ['ps'], ['ls'], ['--version'], ['--help'], ['status', '--help']];

test('what is there to print only is exit code 1 where it cannot be printed', async (t) => {
  const service = new Service(t);
  await service.start();
  for (const args of PRINTING) {
    const { code, stderr } = await runInto(service, t, 1, full(t), args);
    assert.equal(code, 1, args.join(' '));
    assert.match(stderr, /^fdpass: the result could not be printed: ENOSPC: [^\n]+\n$/);
  }
});

test('a reader of stdout that has gone is no failure of any command', async (t) => {
  const service = new Service(t);
  await service.start();
  for (const args of [...PRINTING, ['restart', 'shop', '--json']]) {
    const { code, stderr } = await runInto(service, t, 1, broken(t), args);
    assert.equal(code, 0, args.join(' '));
    assert.doesNotMatch(stderr, /EPIPE|printed/);
  }
});

test('where neither can be written only the exit code is left, and it is true', async (t) => {
  const service = new Service(t);
  await service.start();
  const fd = full(t);
  const run = async (...args: string[]) =>
    (await start(t, process.execPath, [file, ...args], { stdio: ['ignore', fd, fd], env: service.env }).ended)
      .code;
  assert.equal(await run('status', 'shop'), 1);
  assert.equal(await run('restart', 'shop'), 0);
  assert.equal(await run('abort', 'shop'), 1);
  assert.equal(await run('restart', '--nonsense'), 64);
});
