// Restarts of a live HTTP server under the clients of proof/clients.ts, by the contender's way to restart.
import { fromRoot } from '../../../scripts/lib/root.mjs';

export async function sender({ way }, { restarts }) {
  const { ways } = await import(fromRoot('out/proof/compare/subjects.js'));
  const { runUnderCrowd } = await import(fromRoot('out/proof/stage.js'));
  const abort = new AbortController();
  process.once('SIGTERM', () => abort.abort(new Error('stopped by SIGTERM')));
  const run = { restarts, mix: 'built-in', write: () => {}, signal: abort.signal };
  const result = await runUnderCrowd(run, ways[way].make);
  if (result.restarts.length < restarts)
    throw new Error(`only ${result.restarts.length} restarts: ${result.stoppedBy}`);
  const { requests, failed, nearSwitch } = result.load;
  return { total: requests, measured: requests, failed, restarts, p99Ms: nearSwitch.p99 };
}
