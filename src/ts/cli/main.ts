#!/usr/bin/env node
// The command line: finds the command, and turns how it ended into an exit code.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { type Command, EXIT, UsageError } from './command';
import { noAnswer } from './failure';

interface Entry {
  name: string;
  /** One line for the help. */
  summary: string;
  /** When it is asked for: `build` works where there is no addon that the others could load. */
  load(): Promise<Command>;
}

/** In the order of the help. A command is one file of this folder and one entry here. */
const COMMANDS: readonly Entry[] = [
  {
    name: 'run',
    summary: 'run a server as a pool of workers, without changing it',
    load: async () => (await import('./run.js')).run,
  },
  {
    name: 'restart',
    summary: 'replace a service, or the workers of a pool, without losing a request',
    load: async () => (await import('./restart.js')).restart,
  },
  {
    name: 'status',
    summary: 'show a service: its processes, workers, listeners and connections',
    load: async () => (await import('./status.js')).status,
  },
  {
    name: 'abort',
    summary: 'call off an upgrade that is under way; the old process serves',
    load: async () => (await import('./abort.js')).abort,
  },
  {
    name: 'scale',
    summary: 'change the number of workers of a pool',
    load: async () => (await import('./scale.js')).scale,
  },
  {
    name: 'logs',
    summary: 'show what the workers of a pool write',
    load: async () => (await import('./logs.js')).logs,
  },
  {
    name: 'top',
    summary: 'watch the workers of a pool',
    load: async () => (await import('./top.js')).top,
  },
  {
    name: 'ps',
    summary: 'list the services that run as this user',
    load: async () => (await import('./ps.js')).ps,
  },
  {
    name: 'ls',
    summary: 'list the AF_UNIX sockets that have a name, and who holds them',
    load: async () => (await import('./ls.js')).ls,
  },
  {
    name: 'build',
    summary: 'compile the native part, where the package has no binary for the platform',
    load: async () => (await import('./build.js')).build,
  },
];

function help(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length));
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}  ${summary}`);
  return `Pass sockets between processes; restart servers without losing a request.

  fdpass COMMAND [options]

Commands:
${lines.join('\n')}

  fdpass COMMAND --help   what a command does and takes
  fdpass --version

Exit code: 0 done; 1 failed, stderr says why; 64 the command line is wrong. Of restart: see there.
`;
}

/** The command that was begun acts: what it has done stays done if that cannot be printed. */
let acting = false;

/** Why stdout was not written. */
let unprinted: NodeJS.ErrnoException | undefined;

async function main(args: readonly string[]): Promise<number> {
  const [name, ...rest] = args;
  switch (name) {
    case undefined:
      process.stderr.write(help());
      return EXIT.usage;
    case '--help':
    case '-h':
      process.stdout.write(help());
      return EXIT.ok;
    case '--version':
      process.stdout.write(`${version()}\n`);
      return EXIT.ok;
  }
  const entry = COMMANDS.find((one) => one.name === name);
  if (entry === undefined) return wrong(unknown(name), 'fdpass');
  try {
    return await run(name, await entry.load(), rest);
  } catch (error) {
    return noAnswer(name, error, has(rest, '--json'));
  }
}

async function run(name: string, command: Command, args: readonly string[]): Promise<number> {
  if (has(args, '--help', '-h')) {
    process.stdout.write(command.help);
    return EXIT.ok;
  }
  acting = command.acts ?? false;
  try {
    return await command.run(args);
  } catch (error) {
    if (error instanceof UsageError) return wrong(error.message, `fdpass ${name}`);
    throw error;
  }
}

/** Not behind '--': from there the words are somebody else's. */
function has(args: readonly string[], ...options: string[]): boolean {
  const end = args.indexOf('--');
  const ours = end === -1 ? args : args.slice(0, end);
  return ours.some((one) => options.includes(one));
}

function unknown(name: string): string {
  const kind = name.startsWith('-') ? 'option' : 'command';
  return `there is no ${kind} '${name}'; the commands are: ${COMMANDS.map((one) => one.name).join(', ')}`;
}

function wrong(message: string, who: string): number {
  process.stderr.write(`${who}: ${message}\nTry: ${who} --help\n`);
  return EXIT.usage;
}

function version(): string {
  const file = path.join(__dirname, '..', '..', 'package.json');
  return (JSON.parse(readFileSync(file, 'utf8')) as { version: string }).version;
}

process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  unprinted ??= error; // those after the first are its consequences
});

// Progress and remarks that nobody can read are dropped: stdout and the exit code say what counts.
process.stderr.on('error', () => {});

// All is written by now, or has failed.
process.once('beforeExit', (code) => {
  // `fdpass ls | head -1`: a reader that has seen enough is no failure.
  if (unprinted === undefined || unprinted.code === 'EPIPE') return;
  process.stderr.write(`fdpass: the result could not be printed: ${unprinted.message}\n`);
  if (code === EXIT.ok && !acting) process.exitCode = EXIT.failed;
});

// The code is set and the process ends by itself: exit() would cut off what a pipe has not taken yet.
main(process.argv.slice(2)).then(
  (code) => {
    process.exitCode = code;
  },
  (error: unknown) => {
    process.stderr.write(`fdpass: ${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = EXIT.failed;
  },
);
