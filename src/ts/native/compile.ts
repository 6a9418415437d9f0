// Compiles the addon in the installed package, for a platform that the tarball has no binary for.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import {
  accessSync,
  constants,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  realpathSync,
  renameSync,
  rmSync,
} from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';

const PACKAGE = path.join(__dirname, '..', '..');
const SOURCES = path.join(PACKAGE, 'src', 'native');
const BINARY = path.join(PACKAGE, 'build', 'Release', 'fdpass.node');

const STDERR = 2;

/**
 * What node-gyp prints goes to stderr. Binaries that processes have loaded stay as they are for those.
 * @returns the path of the new binary, which is loaded from now on
 * @throws Error with code ERR_FDPASS_BUILD_FAILED, whose message says what is missing and where to get it
 */
export async function compileAddon(): Promise<string> {
  if (process.platform !== 'linux') throw failed(`fdpass works on Linux only; this is ${process.platform}`);
  requireTools();
  requireWritable(PACKAGE);
  // A copy of the sources: another process may do the same at this moment.
  const directory = mkdtempSync(path.join(PACKAGE, 'build-'));
  try {
    cpSync(SOURCES, directory, { recursive: true });
    await nodeGyp('rebuild', `--directory=${directory}`, '--jobs=max', ...headers());
    const compiled = path.join(directory, 'build', 'Release', 'fdpass.node');
    requireLoadable(compiled);
    mkdirSync(path.dirname(BINARY), { recursive: true });
    renameSync(compiled, BINARY);
    return BINARY;
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

function failed(message: string, cause?: unknown): Error {
  return Object.assign(new Error(message, { cause }), { code: 'ERR_FDPASS_BUILD_FAILED' });
}

/** Looked for first: what node-gyp says is a page long. Whoever names a tool in the environment knows where it is. */
function requireTools(): void {
  const { CXX, PYTHON, NODE_GYP_FORCE_PYTHON, npm_config_python } = process.env;
  const missing = ['make'].filter((name) => !isOnPath(name));
  if (!CXX && !isOnPath('g++')) missing.push('g++');
  if (!PYTHON && !NODE_GYP_FORCE_PYTHON && !npm_config_python && !isOnPath('python3'))
    missing.push('python3');
  if (missing.length === 0) return;
  throw failed(
    `missing on PATH: ${missing.join(', ')}. On Debian and Ubuntu: apt-get install g++ make python3; ` +
      'on Alpine: apk add g++ make python3; on Fedora: dnf install gcc-c++ make python3',
  );
}

function isOnPath(command: string): boolean {
  const folders = (process.env['PATH'] ?? '').split(path.delimiter).filter((folder) => folder !== '');
  return folders.some((folder) => isAccessible(path.join(folder, command), constants.X_OK));
}

function isAccessible(file: string, mode: number): boolean {
  try {
    accessSync(file, mode);
    return true;
  } catch {
    return false;
  }
}

function requireWritable(folder: string): void {
  if (!isAccessible(folder, constants.W_OK))
    throw failed(`${folder} cannot be written to: do this as the user who has installed the package`);
}

async function nodeGyp(...args: string[]): Promise<void> {
  const child = spawn(process.execPath, [findNodeGyp(), ...args], { stdio: ['ignore', STDERR, STDERR] });
  const [code, signal] = await once(child, 'exit');
  if (code !== 0)
    throw failed(
      `node-gyp ended with ${signal ?? `exit code ${code}`}, see above. If headers are missing: it takes Node's from ` +
        `npm_config_nodedir=DIR (DIR/include/node/uv.h), from beside ${process.execPath}, or from nodejs.org`,
    );
}

/** npm and npx name theirs; else one that the application has, else the one of the npm that came with Node. */
function findNodeGyp(): string {
  const named = process.env['npm_config_node_gyp'];
  if (named && existsSync(named)) return named;
  for (const from of [process.cwd(), PACKAGE]) {
    const found = resolve('node-gyp/bin/node-gyp.js', from);
    if (found !== undefined) return found;
  }
  const bundled = path.join(nodePrefix(), 'lib/node_modules/npm/node_modules/node-gyp/bin/node-gyp.js');
  if (existsSync(bundled)) return bundled;
  throw failed('there is no node-gyp here: npm install --no-save node-gyp, and again');
}

function resolve(name: string, from: string): string | undefined {
  try {
    return createRequire(path.join(from, 'package.json')).resolve(name);
  } catch {
    return undefined; // not there
  }
}

/** Those beside this Node need no network; without an option node-gyp fetches some. */
function headers(): string[] {
  const named = process.env['npm_config_nodedir'];
  if (named) return [`--nodedir=${named}`];
  return existsSync(path.join(nodePrefix(), 'include/node/uv.h')) ? [`--nodedir=${nodePrefix()}`] : [];
}

function nodePrefix(): string {
  return path.dirname(path.dirname(realpathSync(process.execPath)));
}

function requireLoadable(file: string): void {
  try {
    createRequire(file)(file);
  } catch (cause) {
    throw failed(`the compiled addon does not load: ${(cause as Error).message}`, cause);
  }
}
