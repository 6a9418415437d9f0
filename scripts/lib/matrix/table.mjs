// The result of a run as text: a line for each cell, then why the known ones fail, what must be done, and the time.
const head = ['cell', 'version', 'CPU', 'libc', 'passed', 'failed', 'skipped', 'known'];

export function isGood({ cells }) {
  return cells.every(
    ({ failed, stale, problem }) => failed.length === 0 && stale.length === 0 && problem === undefined,
  );
}

export function table({ date, seconds, cells }) {
  const lines = [...aligned([head, ...cells.map(line)]), '', ...notes(cells), `${date}, ${seconds} s`];
  return `${lines.join('\n')}\n`;
}

function line({ name, version, cpu, libc, passed, failed, skipped, known, problem }) {
  const counts = problem === undefined ? [passed, failed.length, skipped, known.length] : ['not run'];
  return [name, version, cpu, libc, ...counts].map(String);
}

function aligned(lines) {
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  return lines.map((cells) =>
    cells
      .map((cell, column) => cell.padEnd(widths[column]))
      .join('  ')
      .trimEnd(),
  );
}

function notes(cells) {
  const known = cells.flatMap((cell) =>
    cell.known.map(({ file, reason }) => `${cell.name}: ${file}: ${reason}`),
  );
  const failed = cells.flatMap((cell) =>
    cell.failed.map(({ file, title }) => `${cell.name}: ${file}: FAILED: ${title}`),
  );
  const stale = cells.flatMap((cell) =>
    cell.stale.map(
      ({ file, title }) => `${cell.name}: ${file}: known failure passes now, remove it: ${title}`,
    ),
  );
  const problems = cells.filter((cell) => cell.problem).map(({ name, problem }) => `${name}: ${problem}`);
  const all = [...new Set(known), ...failed, ...stale, ...problems];
  return all.length === 0 ? [] : [...all, ''];
}
