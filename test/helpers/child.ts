// Child processes of tests: started, listened to, and never left behind.
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';
import type { Ending } from './tmp-dir';

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Child {
  process: ChildProcess;
  /** Resolves when the process has ended and its output was read. */
  ended: Promise<Ended>;
  /** The next line that it prints; rejects if it ends first. */
  line(): Promise<string>;
  write(text: string): void;
}

/**
 * The child inherits nothing of what makes node:test treat a process as one of its own; nor certificates, which Node
 * reads in a thread and, where descriptors are short, complains of.
 */
function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_TEST_CONTEXT: _, NODE_EXTRA_CA_CERTS: __, ...env } = process.env;
  return env;
}

const running = new Set<ChildProcess>();

// The runner ends a file that takes too long by SIGTERM, and no after() hook runs then.
process.once('SIGTERM', () => {
  for (const child of running) child.kill('SIGKILL');
  process.exit(143);
});

export function start(t: Ending, command: string, args: string[], options: SpawnOptions = {}): Child {
  const child = spawn(command, args, { stdio: 'pipe', env: cleanEnvironment(), ...options });
  t.after(() => void (child.exitCode === null && child.signalCode === null && child.kill('SIGKILL')));
  running.add(child);
  child.once('exit', () => running.delete(child));
  const lines: string[] = [];
  const waiting: ((line: string | undefined) => void)[] = [];
  let stdout = '';
  let stderr = '';
  let rest = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  child.stdout?.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
    const parts = (rest + text).split('\n');
    rest = parts.pop() ?? '';
    lines.push(...parts);
    while (lines.length > 0 && waiting.length > 0) waiting.shift()?.(lines.shift());
  });
  const ended = once(child, 'close').then(([code, signal]) => {
    for (const give of waiting.splice(0)) give(undefined);
    return { code, signal, stdout, stderr } as Ended;
  });
  return {
    process: child,
    ended,
    async line() {
      const line = lines.shift() ?? (await new Promise<string | undefined>((give) => waiting.push(give)));
      if (line === undefined) throw new Error(`${command} ended without a line; stderr: ${stderr}`);
      return line;
    },
    write: (text) => void child.stdin?.write(text),
  };
}

/** A compiled file of test/fixtures in a Node of its own. */
export function startFixture(t: Ending, name: string, args: string[] = [], nodeArgs: string[] = []): Child {
  const file = path.join(__dirname, '..', 'fixtures', `${name}.js`);
  return start(t, process.execPath, [...nodeArgs, file, ...args]);
}
