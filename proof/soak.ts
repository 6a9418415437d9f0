/** `npm run soak`: many restarts, one after the other, and whether descriptors, memory or processes grow. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import * as path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Children } from '../demo/children';
import { FdpassSubject } from '../demo/fdpass';
import { LoadProcess } from '../demo/load-process';
import { Say } from '../demo/progress';
import { distribution } from '../demo/stats';
import { count } from '../demo/table';
import { parseOptions } from './options';
import { machine, onStage, runCommand } from './stage';

const help = `npm run soak [-- options]

Replaces a server under a light load again and again, alternately by itself and by an unrelated process, and looks at each
generation when it is as old as every other one: open descriptors, resident memory, living processes. Flat is good.

  --restarts N   how many (default 1000, of about half a second each)
  --json         one JSON object on stdout, progress on stderr
  --help

Exit code: 0 no request failed and nothing grew; 1 otherwise; 2 the command line is wrong.
`;

const kDefaultRestarts = 1000;
const kRowEvery = 100;
/** Of the demo's load, whose clients pause between requests. */
const kConnections = 8;
/** Age of a generation when it is looked at: its predecessor has gone, and its heap has found its size. */
const kAgeMs = 250;
const kGoneMs = 10_000;
/** What memory may differ by between two parts of a run. A leak of 100 KB with each generation would be 100 MB in 1,000. */
const kMemorySlack = 1.1;
const kFewForMemory = 40;
const kNames = ['restarts', 'descriptors, p50', 'most', 'RSS in MB, p50', 'most', 'processes, most'];
const kColumn = 16;

interface Sample {
  descriptors: number;
  rssKb: number;
  processes: number;
}

async function main(signal: AbortSignal): Promise<number> {
  const { restarts, switches } = parseOptions(process.argv.slice(2), kDefaultRestarts, []);
  if (switches.has('help')) {
    process.stdout.write(help);
    return 0;
  }
  const json = switches.has('json');
  const write = (line: string): void => void (json ? process.stderr : process.stdout).write(`${line}\n`);
  const { samples, failed, requests } = await onStage({ write, signal }, (children, directory) =>
    soak({ restarts, children, directory, write, signal }),
  );
  const grown = growth(samples);
  write(`\n${count(restarts)} restarts, ${count(requests)} requests, ${count(failed)} failed`);
  for (const what of grown) write(`FAILED  ${what}`);
  if (grown.length === 0) write('Descriptors, memory and processes are flat.');
  write(machine());
  const ok = failed === 0 && grown.length === 0;
  if (json)
    process.stdout.write(
      `${JSON.stringify({ ok, machine: machine(), failed, requests, grown, samples }, null, 2)}\n`,
    );
  return ok ? 0 : 1;
}

interface Soak {
  restarts: number;
  children: Children;
  directory: string;
  write: (line: string) => void;
  signal: AbortSignal;
}

async function soak({ restarts, children, directory, write, signal }: Soak) {
  const startLoad = (port: number): LoadProcess => LoadProcess.ofDemo(port, kConnections);
  const setting = { options: { restarts }, children, load: startLoad, say: new Say(() => {}), signal };
  const subject = new FdpassSubject(setting, path.join(directory, 'control.sock'));
  let { pid, port } = await subject.start();
  const load = startLoad(port);
  const samples: Sample[] = [];
  try {
    for (let index = 0; index < restarts; index++) {
      const old = pid;
      ({ pid } = await subject.restart(index));
      const left = await children.awaitExit([old], kGoneMs);
      if (left.length > 0)
        throw new Error(`process ${old} is still there ${kGoneMs} ms after its end was due`);
      await sleep(kAgeMs, undefined, { signal });
      samples.push(look(pid, children));
      if (samples.length % kRowEvery === 0 || samples.length === restarts) write(row(samples));
    }
    const { requests, failed } = await load.finish([]);
    return { samples, requests, failed };
  } finally {
    await load.end();
  }
}

function look(pid: number, children: Children): Sample {
  const status = readFileSync(`/proc/${pid}/status`, 'latin1');
  return {
    descriptors: descriptors(pid),
    rssKb: Number(/^VmRSS:\s+(\d+)/m.exec(status)?.[1]),
    processes: children.alive,
  };
}

/** But connections, which come and go with the load. A state of 0A is LISTEN. proc_pid_net(5) */
function descriptors(pid: number): number {
  const lines = readFileSync(`/proc/${pid}/net/tcp`, 'latin1').split('\n').slice(1, -1);
  const fields = lines.map((line) => line.trim().split(/\s+/));
  const listening = new Set(fields.filter((one) => one[3] === '0A').map((one) => `socket:[${one[9]}]`));
  const unix = readFileSync(`/proc/${pid}/net/unix`, 'latin1');
  return readdirSync(`/proc/${pid}/fd`).filter((number) => {
    const target = targetOf(pid, number);
    const inode = /^socket:\[(\d+)\]$/.exec(target)?.[1];
    return inode === undefined ? target !== '' : listening.has(target) || unix.includes(` ${inode}`);
  }).length;
}

function targetOf(pid: number, number: string): string {
  try {
    return readlinkSync(`/proc/${pid}/fd/${number}`);
  } catch {
    return ''; // closed meanwhile
  }
}

/** The first row comes below the names of the columns. */
function row(samples: readonly Sample[]): string {
  const line = (texts: readonly string[]): string => texts.map((text) => text.padStart(kColumn)).join(' ');
  const figures = line(cells(samples.length, samples.slice(-kRowEvery)));
  return samples.length <= kRowEvery ? `${line(kNames)}\n${figures}` : figures;
}

function cells(restarts: number, samples: readonly Sample[]): string[] {
  const descriptors = distribution(samples.map((one) => one.descriptors));
  const memory = distribution(samples.map((one) => one.rssKb / 1024));
  const processes = distribution(samples.map((one) => one.processes));
  const megabytes = [memory.p50, memory.longest].map((value) => (value ?? 0).toFixed(1));
  return [
    `${restarts}`,
    `${descriptors.p50}`,
    `${descriptors.longest}`,
    ...megabytes,
    `${processes.longest}`,
  ];
}

/** Medians of the first tenth and of the last: a single look sees connections and garbage of the moment. */
function growth(samples: readonly Sample[]): string[] {
  const part = Math.max(1, Math.floor(samples.length / 10));
  const median = (name: keyof Sample, from: readonly Sample[]): number =>
    distribution(from.map((one) => one[name])).p50 ?? 0;
  const grown: string[] = [];
  for (const name of ['descriptors', 'processes', 'rssKb'] as const) {
    const [first, last] = [median(name, samples.slice(0, part)), median(name, samples.slice(-part))];
    const slack =
      name === 'rssKb' ? (samples.length < kFewForMemory ? Number.POSITIVE_INFINITY : kMemorySlack) : 1;
    if (last > first * slack) grown.push(`${name}: ${first} in the first tenth, ${last} in the last`);
  }
  return grown;
}

runCommand('soak', main);
