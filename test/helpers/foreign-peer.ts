// Peers that are not this package: CPython, and C compiled for the occasion.
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import type { UnixAddress } from 'fdpass';
import { type Child, start } from './child';
import type { Ending } from './tmp-dir';

/** Starts the peer with a verb and its arguments; see test/fixtures/peer.*. */
export type StartPeer = (t: Ending, ...args: string[]) => Child;

// Sources are not copied to the compiled tests: out/test/helpers is three levels below the package.
const fixtures = path.join(__dirname, '..', '..', '..', 'test', 'fixtures');

export const startPython: StartPeer = (t, ...args) =>
  start(t, 'python3', [path.join(fixtures, 'peer.py'), ...args]);

/** @param folder where the program goes */
export function compilePeer(folder: string): StartPeer {
  const program = path.join(folder, 'peer');
  execFileSync('gcc', ['-O1', '-Wall', '-o', program, path.join(fixtures, 'peer.c')], { stdio: 'pipe' });
  return (t, ...args) => start(t, program, args);
}

/** The image of sun_path as the peers read it. */
export function hex(address: UnixAddress): string {
  return address.sunPath.toString('hex');
}
