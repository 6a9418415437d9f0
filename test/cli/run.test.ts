// The command line of `fdpass run`: what it takes, what it says to what it does not, and what a program is called.
import assert from 'node:assert/strict';
import { EventEmitter } from 'node:events';
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { problemOf, readNodeProgram } from '#fdpass/cli/program';
import { reapOrphans } from '#fdpass/cli/reaper';
import { readRunOptions } from '#fdpass/cli/run-options';
import { serviceName } from '#fdpass/cli/service-name';
import { runCli } from '../helpers/cli';
import { within } from '../helpers/stage';
import { tmpDir } from '../helpers/tmp-dir';

const PROGRAM = ['--', 'node', 'server.js'];

test('without options it is a worker for each processor, of processes, and nothing is watched', () => {
  const { plan, ...others } = readRunOptions(['--name', 'shop', ...PROGRAM, '--port', '80']);
  assert.deepEqual(others, { watch: undefined, json: false, metrics: undefined });
  assert.deepEqual(plan, {
    name: 'shop',
    command: ['node', 'server.js', '--port', '80'],
    threads: undefined,
    workers: 'max',
    balance: undefined,
    waitReady: false,
    warmMs: undefined,
    probationMs: undefined,
    drainMs: undefined,
  });
});

test('each option is read', () => {
  const options = [
    '-i',
    '4',
    '--balance',
    'least',
    '--wait-ready',
    '--warm',
    '90000',
    '--probation',
    '0',
    '--drain',
    '500',
    '--json',
  ];
  const { plan, json } = readRunOptions([
    ...options,
    '--threads',
    '--',
    'node',
    '-r',
    './a.js',
    'server.js',
    '-x',
  ]);
  const { workers, balance, waitReady, warmMs, probationMs, drainMs, threads } = plan;
  assert.deepEqual(
    [workers, balance, waitReady, warmMs, probationMs, drainMs, json],
    [4, 'least', true, 90_000, 0, 500, true],
  );
  assert.deepEqual(threads, { execArgv: ['-r', './a.js'], script: 'server.js', args: ['-x'] });
  assert.deepEqual(readRunOptions(['--watch', ...PROGRAM]).watch, ['.']);
  assert.deepEqual(readRunOptions(['--watch', '/usr', '/tmp', '--json', ...PROGRAM]).watch, ['/usr', '/tmp']);
  assert.deepEqual(readRunOptions(['--watch=/usr', ...PROGRAM]).watch, ['/usr']);
});

test('metrics are at a port of this machine, an address, a path or a name', () => {
  const at = (text: string) => readRunOptions(['--metrics', text, ...PROGRAM]).metrics;
  assert.deepEqual(at('9100'), { port: 9100, host: '127.0.0.1' });
  assert.deepEqual(at('0.0.0.0:9100'), { port: 9100, host: '0.0.0.0' });
  assert.deepEqual(at('[::1]:9100'), { port: 9100, host: '::1' });
  assert.deepEqual(at('./metrics.sock'), { path: './metrics.sock' });
  assert.deepEqual(at('@metrics'), { path: '@metrics' });
});

for (const [what, args, text] of [
  [
    'no program',
    ['-i', '2'],
    /the program is missing; it comes behind --: fdpass run -i 4 -- node server\.js/,
  ],
  ['a program without --', ['node', 'server.js'], /it comes behind --: fdpass run -- node server\.js$/],
  ['options and no --', ['-i', '2', 'server.js'], /it comes behind --: fdpass run -i 4 -- node server\.js$/],
  ['seconds', ['--drain', '5s', ...PROGRAM], /--drain takes milliseconds from 1 to 2147483647, not '5s'/],
  ['no time to drain', ['--drain', '0', ...PROGRAM], /--drain takes milliseconds from 1/],
  [
    'a path that is not there',
    ['--watch', 'scr', ...PROGRAM],
    /--watch scr: there is no such file or folder/,
  ],
  ['a word before --', ['server.js', ...PROGRAM], /'server\.js' belongs behind --/],
  ['no workers', ['-i', '0', ...PROGRAM], /-i takes a number of workers from 1, or max, not '0'/],
  [
    'less than no workers',
    ['-i', '-1', ...PROGRAM],
    /^Error: -i takes a number of workers from 1, or max, not '-1'$/,
  ],
  [
    'a time below 0',
    ['--probation', '-5', ...PROGRAM],
    /^Error: --probation takes milliseconds from 0 to \d+, not '-5'$/,
  ],
  ['no time to boot', ['--warm', '0', ...PROGRAM], /--warm takes milliseconds from 1/],
  [
    'an option for a value',
    ['--drain', '--json', ...PROGRAM],
    /^Error: --drain takes a value, and '--json' is an option$/,
  ],
  ['a value that is missing', ['--name', ...PROGRAM], /^Error: --name takes a value, which is missing$/],
  ['a balance that is unknown', ['--balance', 'leest', ...PROGRAM], /did you mean least\?/],
  ['an option that is unknown', ['--watc', ...PROGRAM], /there is no option --watc; did you mean --watch\?/],
  ['a name that is none', ['--name', 'a/b', ...PROGRAM], /up to 64 letters/],
  ['metrics nowhere', ['--metrics', 'here', ...PROGRAM], /--metrics takes a port/],
  ['a port that is none', ['--metrics', '70000', ...PROGRAM], /--metrics takes a port/],
  [
    'npm',
    ['--', 'npm', 'start'],
    /npm starts the program in a process that is no worker of the pool; give what/,
  ],
  ['a path of npx', ['--', '/usr/bin/npx', 'next'], /npx starts the program/],
  ['threads of an expression', ['--threads', '--', 'node', '-e', '1'], /--threads takes a file for Node/],
  ['threads of a shell', ['--threads', '--', 'sh', 'a.sh'], /--threads takes a file for Node/],
] as const) {
  test(`${what} is a wrong command line`, async (t) => {
    assert.throws(() => readRunOptions(args), text);
    if (what !== 'no program') return;
    const { code, stderr } = await runCli(t, 'run', ...args);
    assert.deepEqual([code, stderr.endsWith('Try: fdpass run --help\n')], [64, true]);
  });
}

test('a program that is not there is exit code 127, one that may not be run 126, as of a shell', async (t) => {
  const file = path.join(tmpDir(t), 'server.js');
  const missing = await runCli(t, 'run', '--', file);
  assert.equal(missing.code, 127);
  assert.equal(
    missing.stderr,
    `fdpass run: ${file}: not found; to run it with Node: fdpass run -- node ${file}\n`,
  );
  writeFileSync(file, '');
  const plain = await runCli(t, 'run', '--', file);
  assert.equal(plain.code, 126);
  assert.match(plain.stderr, /: permission denied; to run it with Node: /);
});

test('a script that is not there is told once, and is exit code 127', async (t) => {
  const missing = path.join(tmpDir(t), 'srver.js');
  for (const threads of [[], ['--threads']]) {
    const { code, stderr } = await runCli(t, 'run', ...threads, '--', process.execPath, missing);
    assert.deepEqual([code, stderr], [127, `fdpass run: ${missing}: not found\n`]);
  }
});

test('a directory is exit code 126, and says how to run what is in it', async (t) => {
  const folder = tmpDir(t);
  const { code, stderr } = await runCli(t, 'run', '--', folder);
  assert.equal(code, 126);
  const help = `to run the program in it: fdpass run -- node ${folder}`;
  assert.equal(stderr, `fdpass run: ${folder}: is a directory; ${help}\n`);
});

test('a program is looked for as a shell does', (t) => {
  const [one, two] = [tmpDir(t), tmpDir(t)];
  writeFileSync(path.join(one, 'tool'), '');
  assert.equal(problemOf('tool', one)?.exitCode, 126);
  writeFileSync(path.join(two, 'tool'), '');
  chmodSync(path.join(two, 'tool'), 0o755);
  assert.equal(problemOf('tool', `${one}:${two}`), undefined, 'the next one that may be run');
  mkdirSync(path.join(two, 'folder'));
  assert.equal(problemOf(path.join(two, 'folder'), one)?.exitCode, 126);
  assert.equal(problemOf('folder', two)?.exitCode, 127);
  assert.equal(problemOf('nothing', undefined)?.exitCode, 127);
});

test('a service is called as its package, else as its script, else as its folder', (t) => {
  const root = path.join(tmpDir(t), 'My Shop');
  mkdirSync(path.join(root, 'src'), { recursive: true });
  assert.equal(serviceName(path.join(root, 'api.mjs')), 'api');
  assert.equal(serviceName(path.join(root, 'server.js')), 'My-Shop');
  writeFileSync(path.join(root, 'package.json'), '{"name":"@team/shop"}');
  assert.equal(serviceName(path.join(root, 'src', 'server.js')), 'team-shop');
  writeFileSync(path.join(root, 'package.json'), 'nonsense');
  assert.equal(serviceName(path.join(root, 'src', 'server.js')), 'src');
});

test('the script of a command line of Node is found', () => {
  const of = (...words: string[]) => readNodeProgram(words);
  assert.deepEqual(of('/usr/bin/node', '--enable-source-maps', 'a.js'), {
    execArgv: ['--enable-source-maps'],
    script: 'a.js',
    args: [],
  });
  assert.equal(of('node', '--import', './a.mjs'), undefined);
  assert.equal(of('npx', 'next'), undefined);
  assert.equal(of('node', '-e', 'serve()'), undefined);
  assert.equal(of('node', '--print=1', 'a.js'), undefined);
});

test('orphans are waited for, and children that libuv waits for are left to it', async () => {
  const zombies = [5, 6, 7];
  const reaped: number[] = [];
  const signals = new EventEmitter();
  let looks = 0;
  await within('the orphans', async () => {
    await new Promise<void>((resolve) => {
      const stop = reapOrphans(
        {
          peek: () => {
            if (++looks === 2) zombies.shift(); // libuv was there first
            if (zombies.length === 0) resolve();
            return zombies[0] ?? 0;
          },
          reap: (pid) => {
            reaped.push(pid);
            zombies.splice(zombies.indexOf(pid), 1);
          },
        },
        signals,
      );
      void stop;
    });
  });
  assert.deepEqual(reaped, [6, 7]);
});
