// Ways to restart a server under load: those of `npm run zero -- --compare`.
import { fromRoot } from '../../scripts/lib/root.mjs';
import { compileTests } from '../../scripts/lib/typescript.mjs';
import { nodeProgram } from '../lib/programs.mjs';

const file = import.meta.filename;

export const contenders = [
  ['handoff', 'fdpass, handoff', 'fdpass'],
  ['cluster', 'node:cluster, rolling restart', 'cluster'],
  ['pm2', 'PM2, reload', 'pm2'],
  ['reuse-port', 'SO_REUSEPORT, old and new side by side', 'reuse-port'],
].map(([name, title, way]) => ({
  name,
  title,
  way,
  does: { restart: ['http'] },
  program: { ...nodeProgram(file, name), prepare: () => prepare(way) },
}));

let compiled;

async function prepare(way) {
  compiled ??= compileTests();
  await compiled;
  const { ways } = await import(fromRoot('out/proof/compare/subjects.js'));
  const { installPackages } = await import(fromRoot('out/proof/packages.js'));
  return ways[way].needs === undefined ? undefined : await installPackages(() => {});
}
