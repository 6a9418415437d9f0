// Makes contenders ready to run: compiles their programs, installs the packages they need. Who cannot take part is named.

import { isOlder } from '../../scripts/lib/modified.mjs';
import { headersEnvironment } from '../../scripts/lib/node-headers.mjs';
import { npmInstall } from '../../scripts/lib/npm.mjs';
import { failureOf } from './output.mjs';
import { benchRoot, fromBench } from './place.mjs';

/** @returns those who can run, and `{ name, why }` of the others */
export async function makeReady(contenders, say) {
  const present = [];
  const missing = [];
  for (const contender of contenders) {
    const why = (await contender.program.prepare()) ?? (await missingPeer(contender.peer, say));
    if (why === undefined) present.push(contender);
    else missing.push({ name: contender.name, why });
  }
  return { present, missing };
}

let installed;

async function missingPeer(peer, say) {
  if (peer === undefined) return undefined;
  installed ??= install(say);
  const failure = await installed;
  if (failure !== undefined) return failure;
  if ((await loads(peer)) === undefined) return undefined;
  // Its install script did not run, or did not work.
  say(`building ${peer}`);
  const env = headersEnvironment();
  return (
    (await failureOf('npm', ['rebuild', peer, '--loglevel=error'], { cwd: benchRoot, env })) ?? loads(peer)
  );
}

/**
 * Without scripts: a package whose script fails would take the others with it. Without a lock file: it would have to
 * list the binaries of node-unix-socket for platforms that a registry may not have.
 */
async function install(say) {
  if (!isOlder(fromBench('node_modules/.package-lock.json'), [fromBench('package.json')])) return undefined;
  say('installing the other packages into bench/node_modules');
  return failureOf('npm', npmInstall, { cwd: benchRoot });
}

function loads(peer) {
  return failureOf(process.execPath, ['-e', 'require(process.argv[1])', peer], { cwd: benchRoot });
}
