/** Owns the packages of proof/package.json: installed on demand, beside the package and not into it, and named if they are not there. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import * as path from 'node:path';

const folder = path.join(path.dirname(require.resolve('fdpass/package.json')), 'proof');
const requireHere = createRequire(path.join(folder, 'package.json'));

/** Without scripts and without a lock file. @returns why it could not be done, or undefined */
export async function installPackages(say: (line: string) => void): Promise<string | undefined> {
  if (existsSync(path.join(folder, 'node_modules', '.package-lock.json'))) return undefined;
  say('installs the clients and PM2 into proof/node_modules');
  const args = [
    'install',
    '--no-package-lock',
    '--ignore-scripts',
    '--no-audit',
    '--no-fund',
    '--loglevel=error',
  ];
  const child = spawn('npm', args, { cwd: folder, stdio: ['ignore', 'ignore', 'pipe'] });
  let output = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output += text;
  });
  const failure = await Promise.race([
    once(child, 'close').then(([code]) => (code === 0 ? undefined : `npm install ended with code ${code}`)),
    once(child, 'error').then(([error]) => String(error)),
  ]);
  return failure === undefined ? undefined : `${failure}: ${output.trim().split('\n').at(-1)}`;
}

/** undefined: it is not installed. */
export function loadPackage<T>(name: string): T | undefined {
  try {
    return requireHere(name) as T;
  } catch {
    return undefined;
  }
}

/** @returns the path of a file of an installed package */
export function packageFile(name: string, file: string): string {
  return path.join(path.dirname(requireHere.resolve(`${name}/package.json`)), file);
}
