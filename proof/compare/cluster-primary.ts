/** Owns the primary of the run with node:cluster: two workers, replaced one after the other on SIGUSR2, as its manual shows it. */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import * as path from 'node:path';

const kWorkers = 2;
/** disconnect() waits for connections that clients keep: after this it is over. */
const kForceCloseMs = 1000;

cluster.setupPrimary({ exec: path.join(__dirname, 'worker.js') });
let generation = 0;
let workers: Worker[] = [];
const port = Number(process.env['PORT']);

async function fork(): Promise<Worker> {
  const worker = cluster.fork({ GENERATION: generation });
  await once(worker, 'listening');
  return worker;
}

async function replaceAll(): Promise<void> {
  generation++;
  const old = workers;
  workers = [];
  for (const worker of old) {
    workers.push(await fork());
    worker.disconnect();
    const cut = setTimeout(() => worker.process.kill('SIGTERM'), kForceCloseMs);
    await once(worker, 'exit');
    clearTimeout(cut);
  }
  say();
}

function say(): void {
  process.stdout.write(`${JSON.stringify({ event: 'ready', generation, pid: process.pid, port })}\n`);
}

async function main(): Promise<void> {
  for (let i = 0; i < kWorkers; i++) workers.push(await fork());
  say();
  process.on('SIGUSR2', () => void replaceAll());
  process.on('SIGTERM', () => {
    for (const worker of workers) worker.process.kill('SIGTERM');
    setTimeout(() => process.exit(0), 2 * kForceCloseMs);
  });
}

void main();
