// The programs of examples/, run as a user would: in a process of their own, from a folder that is not the project's.
import assert from 'node:assert/strict';
import path from 'node:path';
import { type Child, type Ended, start } from '../helpers/child';
import type { Ending } from '../helpers/tmp-dir';

export const examplesFolder = path.join(path.dirname(require.resolve('fdpass/package.json')), 'examples');

export function startExample(t: Ending, name: string, args: string[] = [], nodeArgs: string[] = []): Child {
  const file = path.join(examplesFolder, `${name}.mjs`);
  return start(t, process.execPath, [...nodeArgs, file, ...args], { cwd: '/' });
}

/** A server that has said that it listens. */
export async function startServer(t: Ending, name: string, args: string[]): Promise<Child> {
  const server = startExample(t, name, args);
  let line: string;
  do line = await server.line();
  while (!/listening|curl/.test(line));
  return server;
}

/** As Ctrl-C or a supervisor ends it: it has to leave by itself, content. */
export async function stop(server: Child, signal: 'SIGINT' | 'SIGTERM' = 'SIGTERM'): Promise<Ended> {
  server.process.kill(signal);
  const ended = await server.ended;
  assert.deepEqual({ code: ended.code, signal: ended.signal, stderr: ended.stderr }, OK);
  return ended;
}

/** How a program ends that was content. */
const OK = { code: 0, signal: null, stderr: '' };

/** What a program prints that ends by itself, content. */
export async function outputOf(program: Child): Promise<string> {
  const { stdout, ...end } = await program.ended;
  assert.deepEqual(end, OK);
  return stdout;
}
