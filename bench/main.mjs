// The benchmark as a command. scripts/bench.mjs builds the package first.
import { constants } from 'node:os';

import { cases } from './cases.mjs';
import { makeReady } from './lib/available.mjs';
import { loadContenders } from './lib/contenders.mjs';
import { canSetDatagramQueue } from './lib/datagram-queue.mjs';
import { writeDocs } from './lib/docs.mjs';
import { describeMachine, isBusy } from './lib/machine.mjs';
import { kHelp, parseOptions, UsageError } from './lib/options.mjs';
import { chooseContenders, makePlan } from './lib/plan.mjs';
import { caseToRecord, readRecord, toRecord, writeRecord } from './lib/record.mjs';
import { runPlan } from './lib/rounds.mjs';
import { kTargetColumns, targetRows } from './lib/targets.mjs';
import { Progress, renderTable, say } from './lib/terminal.mjs';
import { runMicro } from './micro/run.mjs';

async function main(args) {
  const options = parseOptions(args);
  if (options.help) process.stdout.write(kHelp);
  else if (options.list) await list();
  else if (options.docs !== undefined) writeDocs(readRecord(options.docs), say);
  else if (options.micro) await runMicro(options, say);
  else await bench(options);
}

async function list() {
  const contenders = await loadContenders();
  const rows = [...cases, ...contenders].map(({ name, title }) => [name, title]);
  process.stdout.write(`${renderTable(['name', ''], rows.slice(0, cases.length))}\n\n`);
  process.stdout.write(`${renderTable(['contender', ''], rows.slice(cases.length))}\n`);
}

async function bench(options) {
  const taking = chooseContenders(cases, await loadContenders(), options);
  const { present, missing } = await makeReady(taking, say);
  for (const { name, why } of missing) say(`missing: ${name}: ${why}`);
  const plan = makePlan(cases, present, options).filter(({ name, datagramQueue }) => {
    if (canSetDatagramQueue(datagramQueue)) return true;
    const why = `a receiver with a queue of ${datagramQueue} needs the right to unshare(1) its network`;
    missing.push({ name, why });
    say(`missing: ${name}: ${why}`);
    return false;
  });
  const byName = new Map(present.map((one) => [one.name, one]));
  const machine = describeMachine();
  if (isBusy(machine))
    say(`other processes are busy (load ${machine.load.toFixed(1)}): the figures will tell little`);
  const progress = new Progress(plan, caseToRecord);
  const results = await runPlan(plan, byName, { progress, signal: stopSignal() });
  const record = toRecord({ machine, results, missing, options });
  const aims = targetRows(record.cases);
  if (aims.length > 0) process.stdout.write(`\n${renderTable(kTargetColumns, aims)}\n`);
  if (missing.length > 0) {
    process.stdout.write(`\nmissing: ${missing.map(({ name, why }) => `${name} (${why})`).join('; ')}\n`);
  }
  if (options.json !== undefined) writeRecord(options.json, record);
  if (results.some(({ parts }) => parts.some(({ failures }) => failures.length > 0))) process.exitCode = 1;
}

/** Aborted by the first ^C, so that no process and no file is left behind. */
function stopSignal() {
  const controller = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
    process.once(signal, () => controller.abort(new Stopped(signal)));
  }
  return controller.signal;
}

class Stopped extends Error {
  constructor(signal) {
    super(`stopped by ${signal}`);
    this.exitCode = 128 + constants.signals[signal];
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError) && !(error instanceof Stopped)) throw error;
  say(`bench: ${error.message}`);
  process.exitCode = error.exitCode;
}
