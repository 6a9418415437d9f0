// What others say about the tarball: publint, arethetypeswrong, the TypeScript compiler, npm sbom.
import assert from 'node:assert/strict';
import { mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Ending } from '../helpers/tmp-dir';
import { npm } from './npm';
import { root, type Tarball } from './tarball';
import { toolFile, toolVersion } from './tools';
import { User } from './user';

export async function judgeWithPublint(t: Ending, { path: tarball }: Tarball): Promise<string> {
  await new User(t).must(['node', toolFile('publint', 'publint/src/cli.js')], ['run', '--strict', tarball]);
  return toolVersion('publint');
}

export async function judgeWithAttw(t: Ending, { path: tarball }: Tarball): Promise<string> {
  const attw = toolFile('@arethetypeswrong/cli', '@arethetypeswrong/cli/dist/index.js');
  await new User(t).must(['node', attw], [tarball, '--no-color', '--no-emoji']);
  return toolVersion('@arethetypeswrong/cli');
}

const SOURCE = `import { createHandoff, isSupported, UnixDatagram, type Message } from 'fdpass';
import { RawSocket } from 'fdpass/raw';
import { drainWebSockets } from 'fdpass/ws';
export const used = [createHandoff, isSupported, UnixDatagram, RawSocket, drainWebSockets];
export const take = ({ data, fds }: Message): number => data.length + fds.length;
`;

/** How users' compilers find modules; the oldest has no "exports" and finds subpaths by "typesVersions". */
const RESOLUTIONS: Record<string, { files: string[]; options: object }> = {
  nodenext: { files: ['esm.mts', 'cjs.cts'], options: { module: 'nodenext' } },
  bundler: { files: ['source.ts'], options: { module: 'esnext', moduleResolution: 'bundler' } },
  node10: {
    files: ['source.ts'],
    options: { module: 'commonjs', moduleResolution: 'node10', ignoreDeprecations: '6.0' },
  },
};

/** The declarations compile strictly, themselves included, with no newer library than their users have. */
export async function judgeTypes(t: Ending, { path: tarball }: Tarball): Promise<string> {
  const user = new User(t);
  await user.must(['node', npm], ['install', tarball]);
  const types = path.join(user.folder, 'node_modules/@types');
  mkdirSync(types);
  symlinkSync(path.join(root, 'node_modules/@types/node'), path.join(types, 'node'));
  const common = {
    target: 'es2022',
    lib: ['es2022'],
    types: ['node'],
    strict: true,
    skipLibCheck: false,
    noEmit: true,
  };
  for (const [name, { files, options }] of Object.entries(RESOLUTIONS)) {
    for (const file of files) writeFileSync(path.join(user.folder, file), SOURCE);
    const project = path.join(user.folder, `tsconfig.${name}.json`);
    writeFileSync(project, JSON.stringify({ compilerOptions: { ...common, ...options }, files }));
    await user.must(['node', path.join(root, 'node_modules/typescript/bin/tsc')], ['-p', project]);
  }
  return `${Object.keys(RESOLUTIONS).join(', ')}; strict, lib es2022`;
}

/** In an application; a package manager has to know what fdpass brings. */
export async function listsDependencies(t: Ending, { path: tarball }: Tarball): Promise<string> {
  const user = new User(t);
  await user.must(['node', npm], ['install', tarball]);
  const { stdout } = await user.must(['node', npm], ['sbom', '--sbom-format', 'cyclonedx']);
  const { components } = JSON.parse(stdout) as { components: { name: string }[] };
  const names = components.map(({ name }) => name).sort();
  assert.deepEqual(names, ['fdpass', 'node-addon-api', 'node-gyp-build']);
  return names.join(', ');
}
