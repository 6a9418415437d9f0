// The package managers, and each way to install with them.
import { rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Tool, toolFile, toolVersion } from './tools';
import type { User } from './user';

/** A program and its first arguments. */
type Command = readonly string[];

/** A step that is none of the manager: as after a checkout, the lock file is what is left. */
export const FORGET: readonly string[] = ['forget'];

export interface Way {
  /** What a user says. */
  title: string;
  /** Before the first step. */
  prepare?(user: User): void;
  /** The arguments of each call. */
  steps(tarball: string): (readonly string[])[];
}

export interface Manager {
  title: string;
  /** What has to be installed. */
  tools: readonly Tool[];
  command: Command;
  /** On PATH, and what the package then runs in; this one if there is none. */
  node?: string;
  /** How a program is started there, if not with plain node. */
  startsNode?: Command;
  /** The arguments that run a command of an installed package. */
  exec: readonly string[];
  /** The plain one first. */
  ways: readonly [Way, ...Way[]];
}

export function forget(user: User): void {
  for (const name of ['node_modules', '.yarn', '.pnp.cjs', '.pnp.loader.mjs'])
    rmSync(path.join(user.folder, name), { recursive: true, force: true });
}

const npmWays: Manager['ways'] = [
  { title: 'install', steps: (tarball) => [['install', tarball]] },
  { title: 'install --ignore-scripts', steps: (tarball) => [['install', '--ignore-scripts', tarball]] },
  { title: 'ci, from a lock file', steps: (tarball) => [['install', tarball], FORGET, ['ci']] },
];

const addWays: Manager['ways'] = [
  { title: 'add', steps: (tarball) => [['add', tarball]] },
  { title: 'add --ignore-scripts', steps: (tarball) => [['add', '--ignore-scripts', tarball]] },
  {
    title: 'install --frozen-lockfile',
    steps: (tarball) => [['add', tarball], FORGET, ['install', '--frozen-lockfile']],
  },
];

function yarnWays(nodeLinker: string): Manager['ways'] {
  const prepare = (user: User, enableScripts: boolean): void => {
    const settings = { nodeLinker, enableScripts, enableTelemetry: false };
    const lines = Object.entries(settings).map(([name, value]) => `${name}: ${value}\n`);
    writeFileSync(path.join(user.folder, '.yarnrc.yml'), lines.join(''));
    writeFileSync(path.join(user.folder, 'yarn.lock'), '');
  };
  const add = (tarball: string): string[] => ['add', `fdpass@file:${tarball}`];
  return [
    { title: 'add', prepare: (user) => prepare(user, true), steps: (tarball) => [add(tarball)] },
    { title: 'add, no scripts', prepare: (user) => prepare(user, false), steps: (tarball) => [add(tarball)] },
    {
      title: 'install --immutable',
      prepare: (user) => prepare(user, true),
      steps: (tarball) => [add(tarball), FORGET, ['install', '--immutable']],
    },
  ];
}

const yarn: Command = ['node', toolFile('yarn', 'yarn/bin/yarn.js')];
/** npm 12 does not run on Node 20. */
const node24 = toolFile('node24', 'node24/bin/node');
const platform = `linux-${process.arch}`;

export const MANAGERS: readonly Manager[] = [
  {
    title: `npm ${toolVersion('npm11')}`,
    tools: ['npm11'],
    command: ['node', toolFile('npm11', 'npm11/bin/npm-cli.js')],
    exec: ['exec', '--offline', '--'],
    ways: npmWays,
  },
  {
    title: `npm ${toolVersion('npm12')}`,
    tools: ['npm12', 'node24'],
    command: ['node', toolFile('npm12', 'npm12/bin/npm-cli.js')],
    node: node24,
    exec: ['exec', '--offline', '--'],
    ways: npmWays,
  },
  {
    title: `pnpm ${toolVersion('pnpm')}`,
    tools: ['pnpm'],
    command: [toolFile('pnpm', `@pnpm/exe.${platform}/pnpm`)],
    exec: ['exec'],
    ways: addWays,
  },
  {
    title: `Yarn ${toolVersion('yarn')}, node_modules`,
    tools: ['yarn'],
    command: yarn,
    exec: ['run'],
    ways: yarnWays('node-modules'),
  },
  {
    title: `Yarn ${toolVersion('yarn')}, PnP`,
    tools: ['yarn'],
    command: yarn,
    startsNode: [...yarn, 'node'],
    exec: ['run'],
    ways: yarnWays('pnp'),
  },
  {
    title: `Bun ${toolVersion('bun')}`,
    tools: ['bun'],
    command: [toolFile('bun', `@oven/bun-${platform}/bin/bun`)],
    exec: ['x'],
    ways: addWays,
  },
];
