// fdpass: help, version, and what a wrong command line is answered.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import test from 'node:test';
import { bin, runCli, version } from '../helpers/cli';

test('--help and -h print the commands to stdout', async (t) => {
  for (const option of ['--help', '-h']) {
    const { code, stdout, stderr } = await runCli(t, option);
    assert.deepEqual([code, stderr], [0, '']);
    assert.match(stdout, /^ {2}ls {7}\S/m);
    assert.match(stdout, /Exit code: 0 /);
  }
});

test('without a command the help goes to stderr, with exit code 64', async (t) => {
  const { code, stdout, stderr } = await runCli(t);
  assert.deepEqual([code, stdout], [64, '']);
  assert.match(stderr, /Commands:/);
});

test('--version prints the version of the package', async (t) => {
  const { code, stdout, stderr } = await runCli(t, '--version');
  assert.deepEqual([code, stdout, stderr], [0, `${version}\n`, '']);
});

test('a command or an option that is none is exit code 64, with the way on', async (t) => {
  for (const [args, text] of [
    [['lss'], /^fdpass: there is no command 'lss'; the commands are: .*, ls, build\nTry: fdpass --help\n$/],
    [
      ['--lss'],
      /^fdpass: there is no option '--lss'; the commands are: .*, ls, build\nTry: fdpass --help\n$/,
    ],
    [
      ['ls', '--jsn'],
      /^fdpass ls: there is no option --jsn; did you mean --json\?\nTry: fdpass ls --help\n$/,
    ],
    [['ps', '-j'], /^fdpass ps: there is no option -j; known are --json, --help\nTry: fdpass ps --help\n$/],
    [['build', '--jsno'], /^fdpass build: there is no option --jsno; did you mean --json\?\n/],
    [['status', '--adress=@x'], /^fdpass status: there is no option --adress; did you mean --address\?\n/],
    [['status', '--json=1', 'x'], /^fdpass status: Option '--json' does not take an argument\n/],
    [
      ['status', 'x', '--timeout', '-5'],
      /^fdpass status: --timeout takes milliseconds from 1 to \d+, not '-5'\n/,
    ],
    [['logs', 'x', '-fn', '-5'], /^fdpass logs: -n takes a number up to \d+, not '-5'\n/],
    [
      ['scale', 'x', '2', '--timeout', '-5'],
      /^fdpass scale: --timeout takes milliseconds from 1 to \d+, not '-5'\n/,
    ],
    [['scale', 'x', '0'], /^fdpass scale: the number of workers is N, from 1, max, \+N or -N, not '0'\n/],
    [['ls', 'a', 'b'], /^fdpass ls: one TEXT is looked for, not 2; .*\nTry: fdpass ls --help\n$/],
    [['ls', '--', '--help', 'b'], /^fdpass ls: one TEXT/],
  ] as const) {
    const { code, stdout, stderr } = await runCli(t, ...args);
    assert.deepEqual([code, stdout], [64, '']);
    assert.match(stderr, text);
  }
});

test('a command explains itself', async (t) => {
  for (const [args, usage] of [
    [['ls', '--help'], 'fdpass ls [TEXT] [--json]'],
    [['ls', 'text', '-h'], 'fdpass ls [TEXT] [--json]'],
    [['restart', '--help'], 'fdpass restart NAME [--supervisor] [--json] [--timeout MS] [--address AT]'],
    [['status', '--help'], 'fdpass status NAME [--json] [--timeout MS] [--address AT]'],
    [['abort', '--help'], 'fdpass abort NAME [--json] [--timeout MS] [--address AT]'],
    [['scale', '--help'], 'fdpass scale NAME N|max|+N|-N [--json] [--timeout MS] [--address AT]'],
    [
      ['logs', '--help'],
      'fdpass logs NAME [-f] [-n LINES] [--worker N] [--json] [--timeout MS] [--address AT]',
    ],
    [['top', '--help'], 'fdpass top NAME [--once] [--interval MS] [--json] [--timeout MS] [--address AT]'],
    [['ps', '--help'], 'fdpass ps [--json]'],
    [['build', '--help'], 'fdpass build [--json]'],
  ] as const) {
    const { code, stdout, stderr } = await runCli(t, ...args);
    assert.deepEqual([code, stderr], [0, '']);
    assert.ok(stdout.includes(`\n\n  ${usage}\n\n`), stdout);
    assert.match(stdout, /\nExit code/);
  }
});

test('the program can be run by its name', () => {
  const file = path.join(path.dirname(require.resolve('fdpass/package.json')), bin.fdpass);
  assert.match(readFileSync(file, 'utf8'), /^#!\/usr\/bin\/env node\n/);
});
