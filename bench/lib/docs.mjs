// Makes docs/benchmarks.md and its plots out of the JSON of a run.
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';

import { fromRoot } from '../../scripts/lib/root.mjs';
import { caption, cells, columns, range, remarks } from './figures.mjs';
import { isBusy } from './machine.mjs';
import { fromBench } from './place.mjs';
import { kBaseline } from './plan.mjs';
import { summarize } from './summary.mjs';
import { renderPlot } from './svg.mjs';
import { kTargetColumns, targetRows } from './targets.mjs';

/** Sections in this order; a group that is not here comes last under its own name. */
const kGroups = {
  latency: 'Latency',
  dgram: 'Datagrams',
  seqpacket: 'Seqpacket',
  stream: 'Streams',
  descriptors: 'Descriptors',
  sockets: 'Connections and many sockets',
  memory: 'Memory',
  fairness: 'Fairness',
  import: 'Loading the package',
  restart: 'Restarting a server',
  pool: 'One port, several workers',
};

export function writeDocs(record, say) {
  const plots = fromRoot('docs/benchmarks');
  rmSync(plots, { recursive: true, force: true });
  mkdirSync(plots, { recursive: true });
  const summaries = record.cases.map(summarize);
  const known = Object.keys(kGroups);
  const groups = [...new Set([...known, ...summaries.map(({ group }) => group)])];
  const sections = groups.flatMap((group) => {
    const inGroup = summaries.filter((summary) => summary.group === group);
    if (inGroup.length === 0) return [];
    writeFileSync(path.join(plots, `${group}.svg`), renderPlot(inGroup));
    const title = kGroups[group] ?? group;
    return [`## ${title}`, `![${title}](benchmarks/${group}.svg)`, ...inGroup.map(section)];
  });
  const aims = [
    `## Targets`,
    targetTable(record.cases),
    readFileSync(fromBench('targets.md'), 'utf8').trim(),
  ];
  const text = [head(record, summaries), ...aims, ...sections, kTail].join('\n\n');
  writeFileSync(fromRoot('docs/benchmarks.md'), text);
  say(`written: docs/benchmarks.md and ${path.relative(fromRoot(), plots)}/*.svg`);
}

function head({ date, machine, rounds, quick, missing }, summaries) {
  const { versions } = machine;
  const software = Object.entries(versions)
    .filter(([, version]) => version !== null)
    .map(([name, version]) => `${name}: ${version}`);
  const absent = missing.map(({ name, why }) => `${name} (${why})`);
  return `# Benchmarks

<!-- Made by \`npm run bench -- --docs FILE\` out of the JSON of a run; changes here are overwritten. -->

fdpass beside the other ways to do the same from Node, beside Go and Python, and beside a C program (a non-blocking
\`epoll\` loop), which is the limit. Absolute figures are this machine's; the ratio to C, taken from the same round, is what carries
over.

Rerun it, in a clone of the repository on Linux with a C compiler:

\`\`\`sh
npm run build
npm run bench                                  # everything: ${summaries.length} cases
npm run bench -- one-way --contenders fdpass   # some cases, one contender beside C
npm run bench -- --micro                       # single steps: N-API crossings, buffers, events
npm run bench -- --json run.json && npm run bench -- --docs run.json   # this page
\`\`\`

- Each run is two processes of one contender. In each round the contenders run one after the other (A B C A B C), so that
  what slows the machine down for a while slows them all down. Shown are medians over ${rounds} round${rounds === 1 ? '' : 's'} with the lowest
  and the highest.
- *x C* is the figure divided by that of C in the same round. *Noise* is that ratio for a second run of the same C program:
  a difference that is smaller says nothing.
- *p99* of ping-pong is over messages (one way: half a round trip). Elsewhere it is the time per message, byte or descriptor in the
  slowest of a hundred stretches of about ${64} messages.
- *CPU us* is user and system time that each process tells of itself (\`getrusage\`), per message; in ping-pong per round trip. *CPU x
  C* is the sum of both sides divided by that of C: on a busy machine it moves less than the time does.
- *lost* is what was sent and not received, or a request without its answer: no contender is asked again for it.
- In *${kGroups.pool}* ratios are to node:cluster with SCHED_RR, a run is the primary with its workers beside a C program that asks, and
  *CPU us in* is what the primary takes, divided by the connections: where it hands over none, what it takes for itself.

${noiseLine(summaries)} Measured ${date.slice(0, 10)} on ${machine.cpu}, ${machine.processors} processors, load ${machine.load.toFixed(1)} before,
Linux ${machine.kernel}, Node ${machine.node}; \`net.unix.max_dgram_qlen\` ${machine.maxDatagramQueue} (what a datagram socket queues, which
decides how often both sides wake up; where a case names a queue, its receiver had that one), \`net.core.wmem_default\` ${machine.sendBuffer}. ${software.join('; ')}.
${absent.length === 0 ? '' : `\nMissing: ${absent.join('; ')}.\n`}${isBusy(machine) ? '\n**Other processes were busy: wake-ups on two cores took long, and took longest for who sleeps most, C. Ratios say little; *CPU x C* says more.**\n' : ''}${quick ? '\n**A quick run: it shows that everything runs, the figures mean nothing.**\n' : ''}`;
}

function targetTable(cases) {
  const rows = [kTargetColumns, kTargetColumns.map(() => '---'), ...targetRows(cases)];
  return rows.map((texts) => `| ${texts.join(' | ')} |`).join('\n');
}

function noiseLine(summaries) {
  const ratios = summaries.map(({ noise }) => noise?.median).filter((ratio) => ratio !== undefined);
  if (ratios.length === 0) return '';
  const spread = { min: Math.min(...ratios), max: Math.max(...ratios) };
  return `Noise over all cases (median ratio of C to C): ${range(spread)}.`;
}

function section(summary) {
  const row = (texts) => `| ${texts.join(' | ')} |`;
  const lines = [
    `### ${capitalized(summary.title)}`,
    '',
    `${capitalized(caption(summary))}.`,
    '',
    row(columns(summary)),
    row(columns(summary).map((_, i) => (i === 0 ? '---' : '---:'))),
    ...summary.rows.map((one) => row(emphasized(one))),
    ...remarks(summary).map((text) => `\n${text}.`),
  ];
  return lines.join('\n');
}

function emphasized(one) {
  const [title, ...figures] = cells(one);
  return one.contender.startsWith('fdpass') ? [`**${title}**`, ...figures] : [title, ...figures];
}

function capitalized(text) {
  return text.charAt(0).toUpperCase() + text.slice(1);
}

const kTail = `## More

A case is one entry in \`bench/cases.mjs\`, a contender one file in
\`bench/contenders\`: see \`bench/README.md\`. Every ratio is to \`${kBaseline.name}\` there, where the case names no other.
`;
