// Somebody who installs the package: a folder of their own, and a PATH without compiler, node-gyp and python.
import { execFileSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, realpathSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Ended, start } from '../helpers/child';
import { type Ending, tmpDir } from '../helpers/tmp-dir';
import { npm } from './npm';
import { manifest, root } from './tarball';

const FIXTURE = path.join(__dirname, '..', 'fixtures', 'installed.mjs');

/** As npm of this machine is configured. */
function setting(name: string): string {
  return execFileSync(process.execPath, [npm, 'config', 'get', name], {
    encoding: 'utf8',
    stdio: 'pipe',
  }).trim();
}

function dependenciesOfHere(): object {
  const names = Object.keys(manifest.dependencies);
  const at = (name: string): string => `file:${path.join(root, 'node_modules', name)}`;
  return {
    dependencies: Object.fromEntries(names.map((name) => [name, at(name)])),
    overrides: Object.fromEntries(names.map((name) => [name, `$${name}`])),
  };
}

function headers(): NodeJS.ProcessEnv {
  const prefix = path.dirname(path.dirname(realpathSync(process.execPath)));
  const named = process.env['npm_config_nodedir'];
  if (named === undefined && !existsSync(path.join(prefix, 'include/node/uv.h'))) return {};
  return { npm_config_nodedir: named ?? prefix };
}

export class User {
  readonly folder: string;
  /** For programs that must not find a compiler. */
  readonly env: NodeJS.ProcessEnv;
  /** For those that shall: the PATH of this machine behind it, and the headers of this Node, which do for others, too. */
  readonly envOfBuilder: NodeJS.ProcessEnv;
  readonly #t: Ending;

  /**
   * @param node which Node is on PATH
   * @param offline npm asks no registry, and takes what the package depends on from this repository
   */
  constructor(
    t: Ending,
    { node = process.execPath, offline = false }: { node?: string; offline?: boolean } = {},
  ) {
    this.#t = t;
    const home = tmpDir(t);
    this.folder = path.join(home, 'app');
    const bin = path.join(home, 'bin');
    for (const one of [this.folder, bin]) mkdirSync(one);
    symlinkSync(node, path.join(bin, 'node'));
    symlinkSync('/bin/sh', path.join(bin, 'sh'));
    const { NODE_TEST_CONTEXT: _, ...inherited } = process.env;
    const settings = Object.entries(inherited).filter(([name]) => !/^(npm|pnpm|yarn|node_gyp)_/i.test(name));
    const registry = setting('registry');
    this.env = {
      ...Object.fromEntries(settings),
      PATH: bin,
      HOME: home,
      npm_config_cache: setting('cache'),
      YARN_NPM_REGISTRY_SERVER: registry.replace(/\/$/, ''),
    };
    this.envOfBuilder = {
      ...this.env,
      PATH: `${bin}${path.delimiter}${process.env['PATH']}`,
      ...headers(),
    };
    const app = { name: 'app', version: '1.0.0', private: true, ...(offline && dependenciesOfHere()) };
    writeFileSync(path.join(this.folder, 'package.json'), JSON.stringify(app));
    const preference = offline ? 'offline' : 'prefer-offline';
    const lines = [`registry=${registry}`, 'audit=false', 'fund=false', `${preference}=true`, ''];
    writeFileSync(path.join(this.folder, '.npmrc'), lines.join('\n'));
    copyFileSync(FIXTURE, path.join(this.folder, 'installed.mjs'));
  }

  /** @param command the program, and its first arguments */
  run(command: readonly string[], args: readonly string[], env = this.env): Promise<Ended> {
    const [program = '', ...first] = command;
    return start(this.#t, program, [...first, ...args], { cwd: this.folder, env }).ended;
  }

  /** @throws Error with the output if the exit code is not 0 */
  async must(command: readonly string[], args: readonly string[], env = this.env): Promise<Ended> {
    const ended = await this.run(command, args, env);
    if (ended.code !== 0)
      throw new Error(`${args.join(' ')}: exit code ${ended.code}\n${ended.stdout}${ended.stderr}`);
    return ended;
  }

  /**
   * Uses the package: import, require, a datagram with a descriptor.
   * @param node how Node is started there
   * @returns the folder of the package
   */
  async use(node: readonly string[]): Promise<string> {
    return (await this.must(node, ['installed.mjs'])).stdout.trim().split('\n').at(-1) as string;
  }
}
