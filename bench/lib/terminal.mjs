// Progress and tables for a terminal. Progress goes to stderr, the tables are the result.
import { caption, cells, columns, remarks } from './figures.mjs';
import { lengthMs } from './plan.mjs';
import { summarize } from './summary.mjs';

/** Starting two processes takes about as long. */
const kStartMs = 250;

export function say(text) {
  process.stderr.write(`${text}\n`);
}

export class Progress {
  #begun = performance.now();
  #runs = 0;
  #of;
  #toJson;

  /** @param toJson a result as it will stand in the file */
  constructor(plan, toJson) {
    this.#toJson = toJson;
    this.#of = plan.reduce((sum, { rounds, parts }) => sum + rounds * parts.length, 0);
    const ms = plan.reduce((sum, one) => sum + one.rounds * one.parts.length * (lengthMs(one) + kStartMs), 0);
    say(`${plan.length} cases, ${this.#of} runs, about ${Math.ceil(ms / 60_000)} min`);
  }

  ran(one, { contender, rounds, failures }) {
    this.#runs++;
    const value = rounds.at(-1)?.value;
    const what = rounds.at(-1) === null ? `FAILED: ${failures.at(-1)}` : value?.toPrecision(4);
    const seconds = ((performance.now() - this.#begun) / 1000).toFixed(0);
    say(`${`${seconds} s`.padStart(7)}  ${this.#runs}/${this.#of}  ${one.name}  ${contender.name}  ${what}`);
  }

  end(result) {
    process.stdout.write(`\n${renderCase(summarize(this.#toJson(result)))}\n`);
  }
}

export function renderCase(summary) {
  const table = renderTable(columns(summary), summary.rows.map(cells));
  const lines = [summary.title, `(${caption(summary)})`, table, ...remarks(summary)];
  return `${lines.join('\n')}\n`;
}

export function renderTable(header, rows) {
  const widths = header.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => row[column].length)),
  );
  const line = (row) =>
    row
      .map((cell, column) =>
        column === 0 || header[column] === '' ? cell.padEnd(widths[column]) : cell.padStart(widths[column]),
      )
      .join('  ')
      .trimEnd();
  return [line(header), widths.map((width) => '-'.repeat(width)).join('  '), ...rows.map(line)].join('\n');
}
