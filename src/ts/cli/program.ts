// The program of `fdpass run`: whether it can be started, and which file of JavaScript it is.
import { accessSync, constants, existsSync, statSync } from 'node:fs';
import path from 'node:path';
import { UsageError } from './command';

/** Of a shell, if there is no such program, or it may not be run. POSIX, Shell Command Language, 2.8.2 */
export const NOT_FOUND = 127;
export const NOT_EXECUTABLE = 126;

/** Options of Node that take the next word. node(1) */
const TAKES_NEXT = [
  '-r',
  '--require',
  '--import',
  '--loader',
  '--experimental-loader',
  '-C',
  '--conditions',
  '--env-file',
];

/** Options of Node by which the program is the next word itself, not a file. */
const EVALUATES = /^(-e|--eval|-p|--print|-pe)(=|$)/;

export interface Problem {
  exitCode: typeof NOT_FOUND | typeof NOT_EXECUTABLE;
  reason: string;
}

/** As execvp(3) looks for it. Undefined: it can be started, as far as can be seen. */
export function problemOf(command: string, searched: string | undefined): Problem | undefined {
  const places = command.includes('/')
    ? [command]
    : (searched ?? '/usr/bin:/bin').split(':').map((folder) => path.join(folder || '.', command));
  const files = places.filter(isFile);
  if (files.length === 0 && command.includes('/') && isFolder(command)) {
    const reason = `${command}: is a directory; to run the program in it: fdpass run -- node ${command}`;
    return { exitCode: NOT_EXECUTABLE, reason };
  }
  if (files.length === 0) return { exitCode: NOT_FOUND, reason: `${command}: not found${helpFor(command)}` };
  if (files.some(isExecutable)) return undefined;
  return { exitCode: NOT_EXECUTABLE, reason: `${command}: permission denied${helpFor(command)}` };
}

/** They start the program as a child of theirs, which does not get the link of a worker. */
const LAUNCHERS = ['npm', 'npx', 'pnpm', 'pnpx', 'yarn', 'bunx', 'tsx', 'nodemon', 'cross-env'];

/** Its program would run, and listen, beside the pool. @throws UsageError */
export function refuseLauncher([command = '']: readonly string[]): void {
  const name = path.basename(command);
  if (!LAUNCHERS.includes(name)) return;
  const instead =
    'give what it starts: fdpass run -- node server.js, or -- node_modules/.bin/next start, or -- node --import tsx server.ts';
  throw new UsageError(`${name} starts the program in a process that is no worker of the pool; ${instead}`);
}

/** The exit code for a program that could not be started after all. */
export function startFailureCode(code: unknown): number | undefined {
  if (code === 'ENOENT') return NOT_FOUND;
  return ['EACCES', 'ENOEXEC', 'EPERM', 'EISDIR', 'ENOTDIR'].includes(code as string)
    ? NOT_EXECUTABLE
    : undefined;
}

export interface NodeProgram {
  execArgv: string[];
  script: string;
  args: string[];
}

/** Node would tell it, too: once for each worker, in twelve lines. */
export function missingScript(command: readonly string[]): Problem | undefined {
  const script = readNodeProgram(command)?.script;
  // Without an extension it may be found all the same.
  if (script === undefined || !/\.[cm]?[jt]s$/.test(script) || existsSync(script)) return undefined;
  const where = path.isAbsolute(script) ? '' : ` in ${process.cwd()}`;
  return { exitCode: NOT_FOUND, reason: `${script}: not found${where}` };
}

/** Undefined: it is no `node [options] script [args]`, with a file for the script. */
export function readNodeProgram([command = '', ...rest]: readonly string[]): NodeProgram | undefined {
  if (path.basename(command) !== 'node') return undefined;
  const at = rest.findIndex((word, i) => !word.startsWith('-') && !TAKES_NEXT.includes(rest[i - 1] ?? ''));
  if (at === -1 || rest.slice(0, at).some((word) => EVALUATES.test(word))) return undefined;
  return { execArgv: rest.slice(0, at), script: rest[at] as string, args: rest.slice(at + 1) };
}

/** @throws UsageError */
export function requireNodeProgram(command: readonly string[]): NodeProgram {
  const program = readNodeProgram(command);
  if (program !== undefined) return program;
  throw new UsageError(`--threads takes a file for Node: node server.js, not '${command.join(' ')}'`);
}

function helpFor(command: string): string {
  return /\.[cm]?[jt]s$/.test(command) ? `; to run it with Node: fdpass run -- node ${command}` : '';
}

function isFile(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isFile() === true;
}

function isFolder(name: string): boolean {
  return statSync(name, { throwIfNoEntry: false })?.isDirectory() === true;
}

function isExecutable(name: string): boolean {
  try {
    accessSync(name, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
