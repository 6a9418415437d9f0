// The program of `fdpass run`: whether it can be started, and which file of JavaScript it is.
import { accessSync, constants, statSync } from 'node:fs';
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
  if (files.length === 0) return { exitCode: NOT_FOUND, reason: `${command}: not found${helpFor(command)}` };
  if (files.some(isExecutable)) return undefined;
  return { exitCode: NOT_EXECUTABLE, reason: `${command}: permission denied${helpFor(command)}` };
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

function isExecutable(name: string): boolean {
  try {
    accessSync(name, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
