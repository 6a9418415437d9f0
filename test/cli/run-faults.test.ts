// What goes wrong with a program under `fdpass run`: it is said, with what to do, the exit code is that of a shell, and nothing
// is left over.
import assert from 'node:assert/strict';
import { chownSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import test, { describe } from 'node:test';
import { freePort } from '../helpers/free-port';
import { asNobody, NOBODY } from '../helpers/nobody';
import { ask, type Run, type RunPlan, runtime, startRun, until } from '../helpers/run-pool';
import { tmpDir } from '../helpers/tmp-dir';

const unchanged = path.join(__dirname, '../fixtures/unchanged.js');
const orphanServer = path.join(__dirname, '../fixtures/orphan-server.js');
const script = (...args: string[]): string[] => [process.execPath, unchanged, ...args];
const expression = (text: string): string[] => [process.execPath, '-e', text];

/** Processes that have the folder of that test in their environment. */
function processesOf(folder: string): number[] {
  return readdirSync('/proc')
    .map(Number)
    .filter((pid) => Number.isInteger(pid) && environmentOf(pid).includes(folder));
}

function environmentOf(pid: number): string {
  try {
    return readFileSync(`/proc/${pid}/environ`, 'latin1');
  } catch {
    return ''; // it has gone
  }
}

function socketsIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name !== 'fdpass');
}

/** It ends with that code, and neither a process nor a socket of it remains. @returns its stderr */
async function endsWith(
  t: test.TestContext,
  run: Run,
  expected: number,
  folder = runtime(t),
): Promise<string> {
  const { code, signal, stderr } = await run.end();
  assert.deepEqual([code, signal], [expected, null], stderr);
  await until('the end of every process of it', () => processesOf(folder).length === 0);
  assert.deepEqual(socketsIn(folder), []);
  return stderr;
}

function startOne(t: test.TestContext, plan: RunPlan): Run {
  return startRun(t, { ...plan, options: ['-i', '1', ...(plan.options ?? [])] });
}

// Most of it is waiting.
describe('fdpass run', { concurrency: 4 }, () => {
  test('a program that never listens is told so, with what is missing, and ends at SIGTERM', async (t) => {
    const run = startOne(t, { program: script('never') });
    await run.says(
      '1 worker is not ready after 5.0 s: a worker is when its program listens: by server.listen()',
    );
    run.process.kill('SIGTERM');
    await endsWith(t, run, 0);
  });

  test("a program that never says 'ready' is told so, too", async (t) => {
    const run = startOne(t, { options: ['--wait-ready'], program: script('port') });
    await run.says("when its program calls process.send('ready'), as --wait-ready says\n");
    run.process.kill('SIGINT');
    await endsWith(t, run, 0);
  });

  test('a program that is not ready within --warm is ended', async (t) => {
    const run = startOne(t, { options: ['--warm', '400'], program: script('never') });
    assert.match(await endsWith(t, run, 1), /it was not ready within 400 ms/);
  });

  test('a program that ends well and does not serve is exit code 1', async (t) => {
    const run = startOne(t, { program: script('nothing') });
    const stderr = await endsWith(t, run, 1);
    assert.match(stderr, /exit code 0, before it was ready: a worker is when its program listens/);
  });

  for (const [what, text, code] of [
    ['throws', 'throw new Error("no database")', 1],
    ['is killed', 'process.kill(process.pid, "SIGKILL")', 137],
    ['is killed when it listens', 'http.createServer().listen(0, () => process.kill(process.pid, 9))', 137],
  ] as const) {
    test(`a program that ${what} before it serves is exit code ${code}, and all of it is over`, async (t) => {
      const stderr = await endsWith(
        t,
        startRun(t, { options: ['-i', '3'], program: expression(text) }),
        code,
      );
      assert.match(stderr, /fdpass run: the start has failed: worker \d \(pid \d+\) was no good: /);
    });
  }

  test('a program that stays on at SIGTERM is ended when its connections have', async (t) => {
    const run = startOne(t, { program: script('stubborn') });
    await run.says('1 worker serves\n');
    run.process.kill('SIGTERM');
    const stderr = await endsWith(t, run, 0);
    assert.match(stderr, /worker 1 \(pid \d+\) has left: /);
    assert.match((await run.ended).stdout, /^shop\/1\.1 \| stays $/m);
  });

  test('a worker that is stopped is killed when the time of the drain is over, and that is told', async (t) => {
    const run = startOne(t, { options: ['--drain', '1'], program: script('port') });
    await run.says('1 worker serves\n');
    const worker = processesOf(runtime(t)).find((pid) => pid !== run.process.pid) as number;
    process.kill(worker, 'SIGSTOP');
    run.process.kill('SIGTERM');
    const stderr = await endsWith(t, run, 0);
    assert.match(
      stderr,
      new RegExp(`worker 1 \\(pid ${worker}\\) has left: it did not end when it was told to within`),
    );
  });

  test('a second SIGTERM ends a worker that is stopped at once', async (t) => {
    const run = startOne(t, { program: script('port') });
    await run.says('1 worker serves\n');
    const worker = processesOf(runtime(t)).find((pid) => pid !== run.process.pid) as number;
    process.kill(worker, 'SIGSTOP');
    run.process.kill('SIGTERM');
    await run.says('once more ends them at once\n');
    run.process.kill('SIGTERM');
    await endsWith(t, run, 143);
  });

  test('what a worker has started ends with it, unless it has a session of its own', async (t) => {
    const port = await freePort();
    const run = startOne(t, { program: [process.execPath, orphanServer], env: { PORT: `${port}` } });
    await run.says('1 worker serves\n');
    const child = Number(await ask({ port, path: '/child' }));
    const daemon = Number(await ask({ port, path: '/orphan' }));
    run.process.kill('SIGTERM');
    await run.end();
    await until('the end of the child', () => !processesOf(runtime(t)).includes(child));
    process.kill(daemon);
    await endsWith(t, run, 0);
  });

  test('a port that needs root is refused with what to do about it', asPlainUser(), async (t) => {
    const folder = mkdtempSync(path.join(tmpdir(), 'fdp-'));
    t.after(() => rmSync(folder, { recursive: true, force: true }));
    chownSync(folder, NOBODY, NOBODY);
    const text = "http.createServer().listen(80, '127.0.0.1')";
    const env = { XDG_RUNTIME_DIR: folder, HOME: folder };
    const run = startOne(t, { program: expression(text), env, uid: NOBODY, cwd: '/' });
    const stderr = await endsWith(t, run, 1, folder);
    assert.match(
      stderr,
      /bind EACCES 127\.0\.0\.1:80 \(ports below \d+ are for root and for CAP_NET_BIND_SERVICE: /,
    );
  });

  test('--watch: a new version with a syntax error leaves the old one serving', async (t) => {
    const [folder, port] = [tmpDir(t), await freePort()];
    const write = (text: string) => writeFileSync(path.join(folder, 'server.js'), text);
    const version = (number: number): string =>
      `require('http').createServer((_, response) => response.end('${number}')).listen(${port}, '127.0.0.1');`;
    write(version(1));
    const run = startOne(t, { options: ['--watch'], program: [process.execPath, 'server.js'], cwd: folder });
    await run.says('1 worker serves\n');
    write(`${version(2)} }`);
    await run.says('server.js changed: new workers\n');
    await run.says('SyntaxError');
    await run.says('the roll has stopped, the old workers serve on: worker 1');
    assert.equal(await ask({ port }), '1');
    write(version(3));
    await run.says('1 worker was replaced in');
    assert.equal(await ask({ port }), '3');
    run.process.kill('SIGTERM');
    await endsWith(t, run, 0);
  });
});

function asPlainUser(): { skip: string | false } {
  const first = Number(readFileSync('/proc/sys/net/ipv4/ip_unprivileged_port_start', 'latin1'));
  return { skip: asNobody.skip || (first <= 80 && 'needs port 80 to be for root') };
}
