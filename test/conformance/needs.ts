// Whether this machine has what a row needs. Decided when the row is run.
import { spawnSync } from 'node:child_process';
import os from 'node:os';
import { MSG, RawSocket } from 'fdpass/raw';

export const isRoot = process.getuid?.() === 0;

/** @param version '6.16' */
export function kernelIsAtLeast(version: string): boolean {
  const [major, minor] = numbers(os.release());
  const [wantedMajor, wantedMinor] = numbers(version);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

/** @returns why the row cannot be run here, or undefined */
export function missing(needs: string): string | undefined {
  if (needs === '' || needs.endsWith(' part)')) return undefined; // the row looks itself
  if (needs === 'root') return isRoot ? undefined : 'needs root';
  if (needs === 'non-root') return isRoot ? 'needs a user who is not root' : undefined;
  if (needs === 'netns') return hasNamespaces() ? undefined : 'needs to unshare a network namespace';
  if (needs === 'CONFIG_AF_UNIX_OOB') return hasOutOfBand() ? undefined : 'needs CONFIG_AF_UNIX_OOB';
  const version = /^kernel>=(\d+\.\d+)$/.exec(needs)?.[1];
  if (version === undefined) throw new Error(`cases.md: nobody knows how to look for "${needs}"`);
  return kernelIsAtLeast(version) ? undefined : `needs Linux ${version}`;
}

function numbers(version: string): [number, number] {
  const [major = 0, minor = 0] = version.split('.').map((part) => Number.parseInt(part, 10));
  return [major, minor];
}

function hasNamespaces(): boolean {
  return spawnSync('unshare', ['--net', 'true']).status === 0;
}

function hasOutOfBand(): boolean {
  const [left, right] = RawSocket.pair('stream');
  try {
    left.send('x', { flags: MSG.OOB });
    return true;
  } catch {
    return false;
  } finally {
    left.close();
    right.close();
  }
}
