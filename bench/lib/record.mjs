// The JSON of a run: everything that tables, plots and docs are made of.
import { readFileSync, writeFileSync } from 'node:fs';

const kFormat = 1;

/** @param machine of describeMachine(), from before the first run */
export function toRecord({ machine, results, missing, options }) {
  return {
    format: kFormat,
    date: new Date().toISOString(),
    machine,
    rounds: options.rounds,
    quick: options.quick,
    missing,
    cases: results.map(caseToRecord),
  };
}

export function caseToRecord({ parts, ...one }) {
  const { name, title, group, metric, baseline, cores, rounds, datagramQueue, link } = one;
  return {
    ...{ name, title, group, metric, baseline, cores, rounds, datagramQueue, link },
    results: parts.map(({ contender, kind, rounds, failures }) => ({
      contender: contender.name,
      title: contender.title,
      kind,
      failures,
      rounds,
    })),
  };
}

export function writeRecord(file, record) {
  writeFileSync(file, `${JSON.stringify(record, null, 1)}\n`);
}

export function readRecord(file) {
  const record = JSON.parse(readFileSync(file, 'utf8'));
  if (record.format !== kFormat)
    throw new Error(`${file} has format ${record.format}, this program reads ${kFormat}`);
  return record;
}
