// The result of a pass as text: a table of the sections, then every row that has something to be said about.
const columns = ['passed', 'not applicable', 'skipped', 'failed'];

export function counts(results) {
  const count = (outcome) => results.filter((result) => result.outcome === outcome).length;
  return { rows: results.length, ...Object.fromEntries(columns.map((name) => [name, count(name)])) };
}

export function summary(title, sections, { results, broken }) {
  const lines = sections
    .map((section) => [section, counts(results.filter((result) => result.section === section))])
    .filter(([, { rows }]) => rows > 0);
  const table = [
    ['section', 'rows', ...columns],
    ...[...lines, ['all', counts(results)]].map(([name, all]) => [name, ...Object.values(all)]),
  ];
  return [
    `Conformance, ${title}`,
    '',
    ...layOut(table),
    '',
    ...remarks(results, 'not applicable', 'Not applicable'),
    ...remarks(results, 'skipped', 'Skipped here'),
    ...failures([...results.filter(({ error }) => error !== undefined), ...broken]),
  ].join('\n');
}

function layOut(rows) {
  const widths = rows[0].map((_, column) => Math.max(...rows.map((row) => String(row[column]).length)));
  return rows.map((row) =>
    row
      .map((cell, column) =>
        column === 0 ? `${cell}`.padEnd(widths[0]) : `${cell}`.padStart(widths[column]),
      )
      .join('  '),
  );
}

function remarks(results, outcome, title) {
  const found = results.filter((result) => result.outcome === outcome);
  if (found.length === 0) return [];
  return [`${title}:`, ...found.map(({ id, reason }) => `  ${id} ${reason}`), ''];
}

function failures(failed) {
  if (failed.length === 0) return [];
  const indent = (text) => text.trimEnd().replaceAll(/^/gm, '    ');
  return ['Failed:', ...failed.map(({ name, error }) => `  ${name}\n${indent(error)}`), ''];
}
