// The benchmark as a command. scripts/bench.mjs builds the package first.
import { cases } from './cases.mjs';
import { makeReady } from './lib/available.mjs';
import { loadContenders } from './lib/contenders.mjs';
import { writeDocs } from './lib/docs.mjs';
import { kHelp, parseOptions, UsageError } from './lib/options.mjs';
import { chooseContenders, makePlan } from './lib/plan.mjs';
import { caseToRecord, readRecord, toRecord, writeRecord } from './lib/record.mjs';
import { runPlan } from './lib/rounds.mjs';
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
  const wanted = chooseContenders(await loadContenders(), options);
  const taking = wanted.filter((one) => makePlan(cases, [one], options).length > 0);
  const { present, missing } = await makeReady(taking, say);
  for (const { name, why } of missing) say(`missing: ${name}: ${why}`);
  const plan = makePlan(cases, present, options);
  const byName = new Map(present.map((one) => [one.name, one]));
  const results = await runPlan(plan, byName, new Progress(plan, caseToRecord));
  if (missing.length > 0) {
    process.stdout.write(`\nmissing: ${missing.map(({ name, why }) => `${name} (${why})`).join('; ')}\n`);
  }
  if (options.json !== undefined) writeRecord(options.json, toRecord({ results, missing, options }));
  if (results.some(({ parts }) => parts.some(({ failures }) => failures.length > 0))) process.exitCode = 1;
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  say(`bench: ${error.message}`);
  process.exitCode = 2;
}
