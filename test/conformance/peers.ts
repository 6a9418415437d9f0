// The other party: programs for CPython and for a Node of its own, given as text, so that any user can run them.
import type { SpawnOptions } from 'node:child_process';
import { existsSync } from 'node:fs';
import { type Child, start } from '../helpers/child';
import type { Row } from './row';

export interface PeerOptions {
  args?: (string | number)[];
  /** Given to the child as 3, 4, ... */
  fds?: number[];
  /** Runs in front, such as ['unshare', '--net']. */
  under?: string[];
}

const DEBIAN_PYTHON = '/usr/bin/python3';

const prelude = `
import array, ctypes, errno, fcntl, os, select, socket, struct, sys
def say(*words): print(*words, flush=True)
def hear(): return sys.stdin.readline().strip()
def name(text): return '\\0' + text[1:] if text.startswith('@') else text
def tried(call, *args):
    try: call(*args)
    except OSError as error: return errno.errorcode[error.errno]
    return 'success'
arguments = sys.argv[1:]
`;

/** The program knows say(), hear(), name('@abstract'), tried(call, ...) and `arguments`. */
export function python(t: Row, program: string, options: PeerOptions = {}): Child {
  const command = existsSync(DEBIAN_PYTHON) ? DEBIAN_PYTHON : 'python3';
  return peer(t, [command, '-I', '-c', prelude + dedent(program)], options);
}

/** The program knows `fdpass`, and `arguments`. */
export function node(t: Row, program: string, options: PeerOptions & { flags?: string[] } = {}): Child {
  const load = `const fdpass = require(${JSON.stringify(require.resolve('fdpass'))});
    const arguments_ = process.argv.slice(1);`;
  const flags = [...(options.flags ?? []), '-e'];
  return peer(t, [process.execPath, ...flags, load + program, '--'], options);
}

function peer(t: Row, command: string[], { args = [], fds = [], under = [] }: PeerOptions): Child {
  const [file, ...rest] = [...under, ...command, ...args.map(String)] as [string, ...string[]];
  const stdio: SpawnOptions['stdio'] = ['pipe', 'pipe', 'pipe', ...fds];
  const child = start(t, file, rest, { stdio });
  void child.ended.then(({ code, signal, stderr }) => {
    if (code !== 0 && signal === null) t.break(new Error(`a peer failed: ${stderr}`));
  });
  t.after(async () => {
    child.process.kill('SIGKILL');
    await child.ended;
  });
  return child;
}

// A program is indented as the test around it.
function dedent(program: string): string {
  const indent = /^\n?( *)/.exec(program)?.[1] ?? '';
  return program.replaceAll(`\n${indent}`, '\n').trim();
}
