// upgrade() under bad conditions: it settles, tells the truth, and nobody is left who should not serve.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import test from 'node:test';
import type { Receipt } from 'fdpass';

const fixture = path.join(__dirname, '..', 'fixtures', 'handoff-upgrade.js');

interface Result {
  receipt?: Receipt;
  code?: string;
  exitCode?: number;
  stderr?: string;
  outcomes?: Result[];
  status?: number;
}

/** Runs a scenario to the end of its process, which must be a good one. */
async function run(scenario: string, prefix: string[] = []): Promise<Result> {
  const [command = '', ...args] = [
    ...prefix,
    process.execPath,
    fixture,
    scenario,
    `@fdpass-${scenario}-${process.pid}`,
  ];
  const child = spawn(command, args, { stdio: ['ignore', 'pipe', 'ignore'], execArgv: [] } as object);
  let output = '';
  child.stdout?.on('data', (chunk) => {
    output += chunk;
  });
  // Not 'close': a successor keeps stdout open.
  const exit = once(child, 'exit');
  const line = new Promise<string>((resolve) => {
    child.stdout?.on('data', () => {
      if (output.includes('\n')) resolve(output);
    });
  });
  const result = JSON.parse(await Promise.race([line, exit.then(() => output)])) as Result;
  const successor = result.receipt?.pid;
  if (successor !== undefined) process.kill(successor, 'SIGTERM');
  assert.deepEqual(await exit, [0, null]);
  child.stdout?.destroy();
  return result;
}

test('an abort that comes when the successor serves already is too late: it lives, and upgrade() says so', async () => {
  const { receipt } = await run('abort-too-late');
  assert.equal(receipt?.generation, 2);
});

test('close() while a successor is being started kills it', async () => {
  assert.equal((await run('close-at-once')).code, 'ERR_FDPASS_CLOSED');
});

test('a process that a successor leaves behind does not hold up the verdict', async () => {
  const { code, exitCode, stderr } = await run('left-behind');
  process.kill(Number(stderr), 'SIGKILL'); // throws if it were gone: then this proves nothing
  assert.deepEqual([code, exitCode], ['ERR_HANDOFF_SUCCESSOR_EXITED', 3]);
});

for (const [what, redirection] of Object.entries({
  'is on a full disk': '2>/dev/full',
  'has lost its reader': '2> >(true)',
})) {
  test(`what a successor says does not end a process whose own stderr ${what}`, async () => {
    const prefix = ['bash', '-c', `exec "$@" ${redirection}`, 'bash'];
    const { code, exitCode, stderr, status } = await run('talkative', prefix);
    assert.deepEqual([code, exitCode], ['ERR_HANDOFF_SUCCESSOR_EXITED', 7]);
    assert.equal(stderr, 'no configuration\n');
    assert.equal(status, 200);
  });
}

test('a successor that the system does not start at all is an UpgradeError', async () => {
  assert.equal((await run('too-large')).code, 'ERR_HANDOFF_SPAWN'); // E2BIG
});

test('more listeners than a frame can name fail the upgrade, not the process', async () => {
  const { code } = await run('long-manifest');
  assert.equal(code, 'ERR_HANDOFF_PROTOCOL');
});

test('without descriptors an upgrade fails, and the process serves on', async () => {
  const { outcomes, status } = await run('no-descriptors', ['sh', '-c', 'ulimit -n 64; exec "$@"', 'sh']);
  assert.ok(outcomes?.every(({ code }) => code !== undefined));
  assert.equal(status, 200);
});
