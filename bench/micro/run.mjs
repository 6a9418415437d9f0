// The micro benchmark: each step of the table in a process of its own, by time or by instructions.
import { spawnSync } from 'node:child_process';

import { compileAddon } from '../lib/addon.mjs';
import { figure } from '../lib/figures.mjs';
import { UsageError } from '../lib/options.mjs';
import { fromBench } from '../lib/place.mjs';
import { renderTable } from '../lib/terminal.mjs';
import { steps } from './steps.mjs';

const kOne = fromBench('micro/one.mjs');
const kAddon = fromBench('build/micro.node');
/** Two counts: what starting and compiling costs is in both, and falls out of the difference. */
const kFew = 40_000;
const kMany = 140_000;

export async function runMicro({ names, instructions }, say) {
  const chosen = steps.filter(({ name }) => names.length === 0 || names.includes(name));
  if (chosen.length === 0) throw new UsageError(`the steps are ${steps.map(({ name }) => name).join(', ')}`);
  await compile();
  const counter = instructions ? findCounter() : undefined;
  const measure = counter === undefined ? nanoseconds : (name) => difference(counter, name);
  const rows = chosen.map(({ name, title }) => {
    say(`micro: ${name}`);
    return [name, title, figure(measure(name))];
  });
  process.stdout.write(`${renderTable(['step', '', counter === undefined ? 'ns' : 'instructions'], rows)}\n`);
}

async function compile() {
  const failure = await compileAddon('micro/addon.c', kAddon);
  if (failure !== undefined) throw new UsageError(failure);
}

function nanoseconds(name) {
  return Number(output(process.execPath, [kOne, kAddon, name]).stdout);
}

function difference(count, name) {
  return (count(name, kMany) - count(name, kFew)) / (kMany - kFew);
}

/** perf where the machine has counters, else valgrind. */
function findCounter() {
  const perf = (args) =>
    spawnSync('perf', ['stat', '-x,', '-e', 'instructions:u', ...args], { encoding: 'utf8' });
  const counted = (result) => Number(/^(\d+),/m.exec(result.stderr ?? '')?.[1]);
  if (counted(perf(['true'])) > 0) return (name, times) => counted(perf(command(name, times)));
  if (spawnSync('valgrind', ['--version']).status === 0) return callgrind;
  throw new UsageError('--instructions needs perf with hardware counters, or valgrind');
}

function callgrind(name, times) {
  const tool = ['--tool=callgrind', '--callgrind-out-file=/dev/null', '--smc-check=all-non-file'];
  const { stderr } = output('valgrind', [...tool, ...command(name, times)]);
  return Number(/Collected : (\d+)/.exec(stderr)?.[1]);
}

/** On one thread, as nearly the same each time as V8 can. */
function command(name, times) {
  return [
    process.execPath,
    '--single-threaded',
    '--predictable-gc-schedule',
    kOne,
    kAddon,
    name,
    String(times),
  ];
}

function output(program, args) {
  const result = spawnSync(program, args, { encoding: 'utf8' });
  if (result.status !== 0) throw new Error(`${program} ${args.join(' ')}: ${result.stderr}`);
  return result;
}
