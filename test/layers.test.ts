// The architecture: imports point down, and each boundary has one file that crosses it.
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';

const root = path.dirname(require.resolve('fdpass/package.json'));
/** Lowest first. A file may import from its own folder and from those before it. */
const LAYERS = [
  'native',
  'base',
  'fd',
  'names',
  'sockets',
  'handoff',
  'worker',
  'pool',
  'integrations',
  'cli',
];
/** Of src/ts/handoff: no I/O, no clock, no process. */
const PURE = [
  'frame',
  'payloads',
  'command',
  'pool-status',
  'pool-reader',
  'pool-commands',
  'log-feed',
  'holder',
  'successor',
];

function sources(folder: string, extension: string): string[] {
  return readdirSync(path.join(root, folder), { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith(extension))
    .map((file) => path.join(folder, file));
}

function imports(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(/(?:from|import) '([^']+)'/g)].map((match) => match[1] as string);
}

function includes(file: string): string[] {
  const text = readFileSync(path.join(root, file), 'utf8');
  return [...text.matchAll(/#include ["<]([^">]+)/g)].map((match) => match[1] as string);
}

test('TypeScript imports point down', () => {
  const upward: string[] = [];
  for (const file of sources('src/ts', '.ts')) {
    const layer = LAYERS.indexOf(path.relative('src/ts', file).split(path.sep)[0] as string);
    if (layer === -1) continue; // an entry point: re-exports of everything
    for (const name of imports(file).filter((one) => one.startsWith('.'))) {
      const target = path
        .relative('src/ts', path.join(path.dirname(file), name))
        .split(path.sep)[0] as string;
      if (!LAYERS.slice(0, layer + 1).includes(target)) upward.push(`${file} -> ${name}`);
    }
  }
  assert.deepEqual(upward, []);
});

test('only the loader knows how the binary is found', () => {
  const knowing = sources('src/ts', '.ts').filter((file) => imports(file).includes('node-gyp-build'));
  assert.deepEqual(knowing, [path.join('src', 'ts', 'native', 'binding.ts')]);
});

test('the frame codec and the machines import nothing of Node', () => {
  for (const name of PURE) {
    const foreign = imports(`src/ts/handoff/${name}.ts`).filter((one) => one.startsWith('node:'));
    assert.deepEqual(foreign, [], name);
  }
});

test('the native core knows neither Node-API nor libuv, and the addon makes no system calls of its own', () => {
  for (const file of [...sources('src/native/core', '.h'), ...sources('src/native/core', '.cc')]) {
    const foreign = includes(file).filter((name) => /napi|node_api|uv\.h|\.\.\//.test(name));
    assert.deepEqual(foreign, [], file);
  }
  for (const file of [...sources('src/native/node', '.h'), ...sources('src/native/node', '.cc')]) {
    const system = includes(file).filter((name) => /^(sys\/|netinet\/|unistd|fcntl|arpa\/)/.test(name));
    assert.deepEqual(system, [], file);
  }
});
