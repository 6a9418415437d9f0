// `fdpass run` with real workers, as somebody uses it in a shell.
import assert from 'node:assert/strict';
import http from 'node:http';
import path from 'node:path';
import test from 'node:test';
import { type Child, start } from '../helpers/child';
import { bin } from '../helpers/cli';
import { freePort } from '../helpers/free-port';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

const program = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);
/** Where its control socket is. */
const folders = new WeakMap<test.TestContext, string>();

function runtime(t: test.TestContext): string {
  const folder = folders.get(t) ?? tmpDir(t);
  folders.set(t, folder);
  return folder;
}

const worker = path.join(__dirname, '../fixtures/pool-worker.js');

interface Run extends Child {
  /** The next line of its stderr that has this. */
  says(text: string): Promise<void>;
}

function startRun(t: test.TestContext, options: string[], env: NodeJS.ProcessEnv = {}): Run {
  const args = [
    program,
    'run',
    '--name',
    'shop',
    '--probation',
    '0',
    ...options,
    '--',
    process.execPath,
    worker,
  ];
  const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
  const child = start(t, process.execPath, args, {
    env: { ...inherited, XDG_RUNTIME_DIR: runtime(t), ...env },
  });
  let seen = '';
  child.process.stderr?.on('data', (text: string) => {
    seen += text;
  });
  return {
    ...child,
    says: (text) =>
      within(text, async () => {
        while (!seen.includes(text))
          await new Promise((resolve) => child.process.stderr?.once('data', resolve));
        seen = seen.slice(seen.indexOf(text) + text.length);
      }),
  };
}

async function ask(at: http.RequestOptions): Promise<string> {
  return await new Promise((resolve, reject) => {
    const request = http.get({ ...at, agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8').on('data', (part: string) => {
        body += part;
      });
      response.once('end', () => resolve(body));
    });
    request.once('error', reject);
  });
}

test('workers serve, are replaced at SIGHUP, and end at SIGTERM with exit code 0', async (t) => {
  const port = await freePort();
  const metrics = path.join(tmpDir(t), 'metrics.sock');
  const run = startRun(t, ['-i', '2', '--metrics', metrics], { PORT: String(port) });
  await run.says('fdpass run: 2 workers serve\n');
  const first = JSON.parse(await ask({ port, host: '127.0.0.1' }));
  assert.equal(first.generation, 1);
  assert.match(
    await ask({ socketPath: metrics, path: '/metrics' }),
    /^fdpass_pool_workers\{pool="shop",state="serving"\} 2$/m,
  );
  run.process.kill('SIGHUP');
  await run.says('fdpass run: SIGHUP: new workers\n');
  await run.says('fdpass run: 2 workers were replaced in ');
  assert.equal(JSON.parse(await ask({ port, host: '127.0.0.1' })).generation, 2);
  const counted = await ask({ socketPath: metrics, path: '/metrics' });
  assert.match(counted, /^fdpass_pool_rolls_total\{pool="shop",outcome="committed"\} 1$/m);
  run.process.kill('SIGTERM');
  const { code, signal } = await within('its end', () => run.ended);
  assert.deepEqual([code, signal], [0, null]);
});

test('a crash is told with its reason, and the worker comes back', async (t) => {
  const port = await freePort();
  const run = startRun(t, ['-i', '1'], { PORT: String(port) });
  await run.says('fdpass run: 1 worker serves\n');
  await ask({ port, host: '127.0.0.1', path: '/crash' }).catch(() => {});
  await run.says('exit code 4; again in 100 ms\n');
  await run.says('serves\n');
  assert.equal(JSON.parse(await ask({ port, host: '127.0.0.1' })).generation, 2);
  run.process.kill('SIGINT');
  assert.equal((await within('its end', () => run.ended)).code, 0);
});

test('a program that ends while it starts gives its exit code, and its last words come with their prefix', async (t) => {
  const run = startRun(t, ['-i', '1'], { FAULT: 'exit' });
  const { code, stderr } = await within('its end', () => run.ended);
  assert.match(stderr, /^shop\/1\.1 \| no database$/m);
  assert.equal(code, 3, stderr);
});

test('the other commands find it by its name, and a second one of that name is refused', async (t) => {
  const run = startRun(t, ['-i', '1'], { PORT: '0' });
  await run.says('fdpass run: 1 worker serves\n');
  const env = { ...process.env, XDG_RUNTIME_DIR: runtime(t) };
  const command = (...args: string[]) =>
    within(args.join(' '), () => start(t, process.execPath, [program, ...args], { env }).ended);
  const scaled = await command('scale', 'shop', '+1');
  assert.deepEqual([scaled.code, scaled.stdout], [0, '1 workers before, 2 now\n']);
  const rolled = await command('restart', 'shop', '--json');
  assert.equal(JSON.parse(rolled.stdout).receipt.replaced.length, 2, rolled.stderr);
  const { status } = JSON.parse((await command('status', 'shop', '--json')).stdout);
  assert.ok(status.pool.workers.some(({ generation }: { generation: number }) => generation === 2));
  const lines = (await command('logs', 'shop')).stdout;
  assert.match(lines, /^shop\/1\.1 \| superseded by 2$/m);
  const second = await within('its end', () => startRun(t, ['-i', '1']).ended);
  assert.equal(second.code, 1);
  assert.match(second.stderr, /^fdpass run: shop runs already, as process \d+; /);
  assert.equal((await command('status', 'shop')).code, 0, 'the first one serves on');
  run.process.kill('SIGTERM');
  assert.equal((await within('its end', () => run.ended)).code, 0);
});
