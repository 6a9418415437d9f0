/** Owns how a table looks in a terminal: the first column to the left, figures to the right. */

export function renderTable(header: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [header, ...rows];
  const widths = header.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    widths
      .map((width, column) => {
        const cell = row[column] ?? '';
        return column === 0 ? cell.padEnd(width) : cell.padStart(width);
      })
      .join('   ')
      .trimEnd();
  const rule = widths.map((width) => '-'.repeat(width)).join('   ');
  return [line(header), rule, ...rows.map(line)].join('\n');
}

export function count(value: number): string {
  return value.toLocaleString('en-US');
}

/** '0.41 / 2.3 / 118 ms'; a dash where there is no figure. */
export function milliseconds(...values: readonly (number | null | undefined)[]): string {
  if (values.every((value) => value === null || value === undefined)) return '-';
  return `${values.map(figure).join(' / ')} ms`;
}

function figure(value: number | null | undefined): string {
  if (value === null || value === undefined) return '-';
  if (value < 1) return value.toFixed(2);
  return value < 100 ? value.toFixed(1) : value.toFixed(0);
}
