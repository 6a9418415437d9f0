// What of the options of createPool() reaches the workers.
import assert from 'node:assert/strict';
import path from 'node:path';
import { type TestContext, test } from 'node:test';
import { ownNodeOptions, splitLimits } from '#fdpass/pool/node-options';
import { start } from '../helpers/child';

const FIXTURES = path.join(__dirname, '..', 'fixtures');
const QUICK = 'probationMs: 0, timeouts: { warm: 5_000 }, workers: 1';

test('workers get the options of their primary, without its program', () => {
  const rest = ['--expose-gc', '--require', './one.js', '--title=-e'];
  const programs = [
    ['-e', 'code'],
    ['--eval', ''],
    ['--eval=code = 1'],
    ['-p', 'code'],
    ['-pe', 'code'],
    ['--print', 'code'],
    ['-p', '-e', 'code'],
    ['--input-type=module', '-e', 'code'],
    ['--input-type', 'module', '-e', 'code'],
  ];
  for (const program of programs) {
    assert.deepEqual(ownNodeOptions([...rest, ...program]), rest);
    assert.deepEqual(ownNodeOptions([...program, ...rest]), rest);
  }
});

test('a limit of V8 is one of a thread; what is no number is left to Node', () => {
  const words = ['--max-old-space-size=300', '--max_semi_space_size=16', '--stack-size=832', '--title=x'];
  assert.deepEqual(splitLimits([...words, '--stack-size=big']), {
    execArgv: ['--title=x', '--stack-size=big'],
    resourceLimits: { maxOldGenerationSizeMb: 300, maxYoungGenerationSizeMb: 48, stackSizeMb: 1 },
  });
});

/** A primary that is no file: it says how createPool() has gone, and ends. */
async function evaluate(t: TestContext, nodeArgs: string[], options: string): Promise<string> {
  const code = `
    const { createPool } = require('fdpass/pool');
    createPool({ ${QUICK}, cwd: ${JSON.stringify(FIXTURES)}, ${options} })
      .then((pool) => pool.close())
      .then(() => console.log('served'), ({ code, message }) => console.log(code, message));`;
  const {
    code: exitCode,
    stdout,
    stderr,
  } = await start(t, process.execPath, [...nodeArgs, '-e', code]).ended;
  assert.equal(exitCode, 0, stderr);
  return stdout;
}

test('a primary that is given by -e starts workers, and no primaries', async (t) => {
  assert.equal(await evaluate(t, ['--input-type=commonjs'], "exec: 'pool-worker.js'"), 'served\n');
});

test('a worker that calls createPool() is refused, and told why', async (t) => {
  const script = `
    require('fdpass/pool').createPool({ exec: 'x.js' }).catch((error) => { console.error(error.code); throw error; });`;
  const options = `command: [process.execPath, '-e', ${JSON.stringify(script)}], output: 'event'`;
  const said = await evaluate(t, [], options);
  assert.match(said, /^ERR_POOL_WORKER .*exit code 1/);
  assert.match(said, /ERR_HANDOFF_STATE/);
  assert.match(said, /this process is a worker of a pool itself: options\.exec has to be another file/);
});

const preload = path.join(FIXTURES, 'preloaded.js');

test('threads start in a process with options that are of processes, and have the others', async (t) => {
  const nodeArgs = ['--max-old-space-size=300', '--title', 'shop', '--require', preload];
  const pool = "kind: 'threads', exec: 'preloaded-thread.js', output: 'event'";
  for (const register of [true, false])
    assert.equal(await evaluate(t, nodeArgs, `${pool}, register: ${register}`), 'served\n');
});

test('options that are given for threads: limits are theirs, and others of processes are named', async (t) => {
  const pool = "kind: 'threads', exec: 'preloaded-thread.js', env: { LIMIT: '77' }";
  const given = (list: string[]): string => `${pool}, execArgv: ${JSON.stringify(list)}`;
  assert.equal(await evaluate(t, [], given(['--max-old-space-size=77', '--require', preload])), 'served\n');
  const said = await evaluate(t, [], given(['--no-warnings', '--prof', '--title=shop']));
  assert.match(said, /^ERR_INVALID_ARG_VALUE options\.execArgv has --prof, --title=shop: /);
});
