// The npm tarball: how it is made, and what may and must be in it.
import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { npm } from './npm';

export const root = path.dirname(require.resolve('fdpass/package.json'));

export const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8')) as {
  files: string[];
  dependencies: Record<string, string>;
};

export interface Tarball {
  path: string;
  /** Of the tarball itself. */
  bytes: number;
  files: string[];
}

/** Of the whole tarball: what one download may cost. Sockets and handoff were given 250 KB; the pool and `fdpass run` a third more. */
export const MAX_BYTES = 350_000;

/** A prebuilt binary, below the folder of the package. */
export const prebuilt = (cpu: string): string => `prebuilds/linux-${cpu}/fdpass.node`;

const ALLOWED = [
  /^(package\.json|(README|SECURITY)\.md|LICENSE)$/,
  /^dist\/([\w-]+\/)*[\w-]+\.(js|d\.ts)$/,
  /^src\/native\/(binding\.gyp|(core|node)\/\w+\.(cc|h|map))$/,
  /^prebuilds\/linux-(x64|arm64)\/fdpass\.node$/,
  /^docs\/[\w-]+\.(md|svg)$/,
];

const REQUIRED = [
  'package.json',
  'README.md',
  'LICENSE',
  'SECURITY.md',
  'dist/index.js',
  'dist/index.d.ts',
  'dist/pool.d.ts',
  'dist/raw.d.ts',
  'dist/register.js',
  'dist/ws.d.ts',
  'dist/cli/main.js',
  'src/native/binding.gyp',
  'src/native/core/socket_ops.cc',
  'src/native/node/exports.map',
];

/** @returns one line for each thing that is wrong */
export function complaints({ files, bytes }: Tarball, cpus: readonly string[]): string[] {
  const required = [...REQUIRED, ...cpus.map(prebuilt)];
  return [
    ...files
      .filter((file) => !ALLOWED.some((one) => one.test(file)))
      .map((file) => `${file} does not belong there`),
    ...required.filter((file) => !files.includes(file)).map((file) => `${file} is missing`),
    ...(bytes > MAX_BYTES ? [`it has ${bytes} bytes; ${MAX_BYTES} are allowed`] : []),
  ];
}

/** @param folder that the files are in. @returns one line for each relative link of a document to what is not among them */
export function deadLinks(folder: string, files: readonly string[]): string[] {
  return files
    .filter((file) => file.endsWith('.md'))
    .flatMap((file) => {
      const text = readFileSync(path.join(folder, file), 'utf8');
      const targets = [...text.matchAll(/\]\(([^)#\s]+)(?:#[^)]*)?\)/g)].map((link) => link[1] as string);
      return targets
        .filter((target) => !/^[a-z]+:/.test(target))
        .filter((target) => !files.includes(path.posix.join(path.posix.dirname(file), target)))
        .map((target) => `${file} links to ${target}, which is not there`);
    });
}

/** @param folder of a package; `into` has to be there */
export function pack(folder: string, into: string): Tarball {
  const args = [npm, 'pack', '--json', '--ignore-scripts', '--pack-destination', into];
  const output = execFileSync(process.execPath, args, { cwd: folder, encoding: 'utf8', stdio: 'pipe' });
  // npm 12 gives an object by names, older ones an array.
  const [told] = Object.values(JSON.parse(output)) as {
    filename: string;
    size: number;
    files: { path: string }[];
  }[];
  if (told === undefined) throw new Error(`npm pack told nothing: ${output}`);
  return {
    path: path.join(into, told.filename),
    bytes: told.size,
    files: told.files.map((file) => file.path).sort(),
  };
}

/** A copy of the package as it is here; its only prebuilt binary is the one of this machine, or none. */
export function stage(folder: string, { binary }: { binary: boolean }): void {
  const wanted = [
    'package.json',
    'README.md',
    'LICENSE',
    ...manifest.files.filter((name) => !name.includes('*')),
  ];
  for (const name of wanted.filter((one) => existsSync(path.join(root, one))))
    cpSync(path.join(root, name), path.join(folder, name), { recursive: true });
  if (!binary) return;
  const target = path.join(folder, prebuilt(process.arch));
  mkdirSync(path.dirname(target), { recursive: true });
  execFileSync('strip', ['-o', target, path.join(root, 'build/Release/fdpass.node')]);
}
