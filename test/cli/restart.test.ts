// fdpass restart: every outcome with its exit code, told to people and to scripts.
import assert from 'node:assert/strict';
import test from 'node:test';
import { freshName } from '../helpers/address-name';
import { start } from '../helpers/child';
import { runCli } from '../helpers/cli';
import { Service } from '../helpers/service';
import { within } from '../helpers/stage';

test('a restart that succeeds shows its states and the receipt, with exit code 0', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  const { code, stdout, stderr } = await service.run('restart', 'shop');
  assert.equal(code, 0, stderr);
  const second = await service.says('ready');
  assert.match(
    stdout,
    new RegExp(
      `^generation 2, process ${second}, has taken over from generation 1, process ${first}\nready \\S+ s after its start, ` +
        'alone \\S+ s later\nsockets: inherited web\nmemory: \\d+ MB before, \\d+ MB now\n$',
    ),
  );
  const states = [...stderr.matchAll(/^(\w+) +[\d.]+ s {2}process (\d+): \S/gm)];
  assert.equal(states.length, stderr.trimEnd().split('\n').length, stderr);
  const names = states.map(([, state]) => state);
  assert.deepEqual(names, ['starting', 'offer', 'fds', 'warm', 'ping', 'commit', 'final', 'draining']);
  assert.ok(states.every(([, , pid]) => Number(pid) === second));
});

test('--json gives the receipt to scripts', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  const { code, said } = await service.json('restart', 'shop');
  assert.equal(code, 0);
  const { outcome, receipt, ...rest } = said;
  assert.deepEqual([outcome, rest], ['committed', {}]);
  assert.deepEqual(receipt.predecessor, { pid: first, generation: 1 });
  assert.equal(receipt.pid, await service.says('ready'));
  assert.deepEqual(receipt.listeners, { inherited: ['web'], bound: [], closed: [] });
});

test('a new process that fails is exit code 1 with its reason and its stderr, and the old one serves', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  service.next('exit');
  const { code, stdout, stderr } = await service.run('restart', 'shop');
  assert.deepEqual([code, stdout], [1, '']);
  assert.match(
    stderr,
    /^fdpass restart: the successor exited with code 7 before it took over.*ERR_HANDOFF_SUCCESSOR_EXITED\); the old process serves on\n--- the end of its stderr ---\nno configuration\n$/m,
  );
  await service.hears(/^warning UpgradeError: the successor exited with code 7/); // its own log has it, too
  const { lastFailure } = (await service.json('status', 'shop')).said.status;
  assert.equal(lastFailure.code, 'ERR_HANDOFF_SUCCESSOR_EXITED');
  assert.match(lastFailure.reason, /exited with code 7/);
  assert.ok(lastFailure.agoMs >= 0 && lastFailure.agoMs < 60_000);
  const shown = (await service.run('status', 'shop')).stdout;
  assert.match(
    shown,
    /\n\nAn upgrade failed \d+\.\d s ago: the successor exited with code 7.* \(ERR_HANDOFF_SUCCESSOR_EXITED\)\n$/,
  );
  const { code: again, said } = await service.json('restart', 'shop');
  assert.equal(again, 1);
  assert.deepEqual(
    { ...said, reason: typeof said.reason },
    {
      outcome: 'failed',
      code: 'ERR_HANDOFF_SUCCESSOR_EXITED',
      reason: 'string',
      stderr: 'no configuration\n',
      exitCode: 7,
      signal: null,
    },
  );
  const { status } = (await service.json('status', 'shop')).said;
  assert.deepEqual([status.pid, status.state, status.generation], [first, 'serving', 1]);
});

test('a new process that is no good is exit code 2, and the old one serves again', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  service.next('sick');
  const { code, stderr } = await service.run('restart', 'shop');
  assert.equal(code, 2, stderr);
  assert.match(stderr, /^probation .*: it serves, the old process stands by$/m);
  assert.match(
    stderr,
    /^fdpass restart: rolled back: .*health check said false.*; the old process serves again$/m,
  );
  const { code: again, said } = await service.json('restart', 'shop');
  assert.deepEqual([again, said.outcome, said.code], [2, 'rolledback', 'ERR_HANDOFF_ROLLED_BACK']);
  const { status } = (await service.json('status', 'shop')).said;
  assert.deepEqual([status.pid, status.state], [first, 'serving']);
});

test('while another restart runs it is exit code 3 with who, state and age, and disturbs nothing', async (t) => {
  const service = new Service(t);
  await service.start();
  service.next('slow');
  const restart = service.startCli('restart', 'shop');
  const second = await service.says('warm');
  const { code, stderr } = await service.run('restart', 'shop');
  assert.equal(code, 3);
  const text = `fdpass restart: another upgrade is in progress: process ${second}, state warm, for \\S+ s\n`;
  assert.match(stderr, new RegExp(`^${text}$`));
  const { code: again, said } = await service.json('restart', 'shop');
  assert.equal(again, 3);
  assert.deepEqual(
    { ...said, ageMs: typeof said.ageMs },
    { outcome: 'busy', pid: second, state: 'warm', ageMs: 'number' },
  );
  process.kill(second, 'SIGUSR2');
  assert.equal((await restart.ended).code, 0);
});

test('a process on probation is busy, too', async (t) => {
  const service = new Service(t);
  await service.start();
  service.next('probation');
  service.startCli('restart', 'shop');
  const second = await service.says('ready');
  const { code, said } = await service.json('restart', 'shop');
  assert.deepEqual([code, said.outcome, said.pid, said.state], [3, 'busy', second, 'probation']);
});

for (const [how, args, stop] of [
  ['Ctrl-C', [], true],
  ['--timeout', ['--timeout', '1500'], false],
] as const) {
  test(`the upgrade goes on when the command ends by ${how}`, async (t) => {
    const service = new Service(t);
    await service.start();
    service.next('slow');
    const restart = service.startCli('restart', 'shop', ...args);
    const second = await service.says('warm');
    if (stop) restart.process.kill('SIGINT');
    const { code, signal, stderr } = await restart.ended;
    if (stop) assert.equal(signal, 'SIGINT');
    else
      assert.deepEqual(
        [code, /was not over within 1500 ms; what it has begun goes on/.test(stderr)],
        [1, true],
      );
    process.kill(second, 'SIGUSR2');
    assert.equal(await service.says('ready'), second);
  });
}

test('a process that is killed while it restarts is exit code 1: what became of it is not known', async (t) => {
  const service = new Service(t);
  const first = await service.start();
  service.next('slow');
  const restart = service.startCli('restart', 'shop', '--json');
  const second = await service.says('warm');
  process.kill(first, 'SIGKILL');
  const { code, stdout, stderr } = await restart.ended;
  assert.equal(code, 1);
  assert.match(
    stderr,
    /^fdpass restart: the process ended before it said what became of the restart; see fdpass status$/m,
  );
  const { outcome, code: reason } = JSON.parse(stdout);
  assert.deepEqual([outcome, reason], ['unknown', 'ERR_HANDOFF_HOLDER_GONE']);
  process.kill(second, 'SIGUSR2');
  assert.equal(await service.says('ready'), second, 'the successor carries on alone');
});

test('a wrong command line is exit code 64', async (t) => {
  const service = new Service(t);
  for (const [args, text] of [
    [[], /^fdpass restart: NAME is missing/],
    [['a', 'b'], /^fdpass restart: one NAME is meant, not 2/],
    [['a/b'], /^fdpass restart: options\.name must be/],
    [
      ['shop', '--timeout', 'soon'],
      /^fdpass restart: --timeout takes milliseconds from 1 to \d+, not 'soon'/,
    ],
    [['shop', '--jsn'], /^fdpass restart: there is no option --jsn; did you mean --json\?/],
  ] as const) {
    const { code, stdout, stderr } = await service.run('restart', ...args);
    assert.deepEqual([code, stdout], [64, '']);
    assert.match(stderr, text);
  }
});

test('a program that is no part of the service is told so, once', async (t) => {
  const service = new Service(t);
  await service.start();
  service.next('other');
  const { code, stderr } = await service.run('restart', 'shop');
  assert.equal(code, 1);
  const why = "does it call createHandoff({ name: 'shop' }), and wait for ready()?";
  const text = `the successor exited with code 0 before it took over: ${why} (ERR_HANDOFF_SUCCESSOR_EXITED)`;
  assert.ok(stderr.endsWith(`fdpass restart: ${text}; the old process serves on\n`), stderr);
});

/** A service that listens to no event: what it does not hear is a process warning. */
const deaf = `
  const { createHandoff } = require('fdpass');
  async function main() {
    if (process.env.FDPASS_TXN && process.argv[2] === 'broken') throw new Error('no configuration');
    const handoff = await createHandoff({ name: 'deaf', address: process.argv[1], probation: { ms: 60_000 } });
    await handoff.listen('web', require('net').createServer(), { port: 0, host: '127.0.0.1' });
    await handoff.ready();
    console.log('ready');
  }
  main();`;

async function startDeaf(t: test.TestContext, ...more: string[]) {
  const address = `@${freshName()}`;
  const service = start(t, process.execPath, ['-e', deaf, address, ...more], { cwd: __dirname });
  await within('the first process', () => service.line());
  const run = (command: string) => runCli(t, command, '--address', address);
  const end = async (): Promise<string> => {
    service.process.kill();
    return (await within('the end', () => service.ended)).stderr;
  };
  return { service, run, end };
}

test('an upgrade that is called off on probation is one process warning', async (t) => {
  const { service, run, end } = await startDeaf(t);
  const restarted = run('restart');
  await within('the second process', () => service.line());
  assert.equal((await run('abort')).code, 0);
  assert.equal((await restarted).code, 2);
  const stderr = await end();
  assert.equal(stderr.match(/ERR_HANDOFF_ROLLED_BACK/g)?.length, 1, stderr);
});

test('the process warning of a failed restart does not repeat what has come through stderr', async (t) => {
  const { run, end } = await startDeaf(t, 'broken');
  assert.equal((await run('restart')).code, 1);
  const stderr = await end();
  assert.match(
    stderr,
    /\[ERR_HANDOFF_SUCCESSOR_EXITED\] UpgradeError: the successor exited with code 1 before/,
  );
  assert.equal(stderr.match(/Error: no configuration/g)?.length, 1, stderr);
});
