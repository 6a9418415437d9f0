// One port, many workers: the pools of this package and node:cluster. All run the same program, which knows of neither.
import cluster from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const does = { requests: ['http'], split: ['http'], roll: ['http'] };
const register = fileURLToPath(new URL('../../dist/register.js', import.meta.url));
/** Of a new worker, before the next one is replaced: a roll is to take no longer than it must. */
const kProbationMs = 100;
/** cluster's disconnect() waits for connections that clients keep: after this it is over, as in proof/compare. */
const kForceCloseMs = 1000;

export const contenders = [
  clustered('cluster-rr', 'node:cluster, SCHED_RR', cluster.SCHED_RR),
  clustered('cluster-none', 'node:cluster, SCHED_NONE', cluster.SCHED_NONE),
  ...['kernel', 'reuseport', 'least', 'sticky'].map((balance) => ({
    name: `fdpass-pool-${balance}`,
    title: `fdpass pool, ${balance}`,
    does,
    startPool: (program) => startPool(program, balance),
  })),
];

/** @returns the pool, with replaceAll() and close() */
async function startPool({ exec, workers, env }, balance) {
  const { createPool } = await import('../../dist/pool.js');
  const execArgv = ['--require', register];
  const pool = await createPool({ exec, execArgv, env, workers, balance, probationMs: kProbationMs });
  const told = pool.status().balance;
  if (told !== balance) {
    await pool.close();
    throw new Error(`a pool with balance '${balance}' says that its balance is '${told}'`);
  }
  return { replaceAll: () => pool.restart(), close: () => pool.close() };
}

function clustered(name, title, policy) {
  return {
    name,
    title,
    does,
    async startPool({ exec, workers, env }) {
      cluster.schedulingPolicy = policy;
      cluster.setupPrimary({ exec, execArgv: [] });
      const fork = async () => {
        const worker = cluster.fork(env);
        await once(worker, 'listening');
        return worker;
      };
      let living = await Promise.all(Array.from({ length: workers }, fork));
      return {
        async replaceAll() {
          for (const old of living) {
            living = [...living.filter((one) => one !== old), await fork()];
            old.disconnect();
            await end(old, kForceCloseMs);
          }
        },
        close: () => Promise.all(living.map((worker) => end(worker, 0))),
      };
    },
  };
}

async function end(worker, afterMs) {
  const cut = setTimeout(() => worker.process.kill('SIGTERM'), afterMs);
  await once(worker, 'exit');
  clearTimeout(cut);
}
