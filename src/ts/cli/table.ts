// Text in columns.

/** One line for each row, columns as wide as their widest cell. Cells that are `undefined` show as '-'. */
export function formatTable(
  head: readonly string[],
  rows: readonly (readonly (string | undefined)[])[],
): string {
  const lines = [head, ...rows].map((cells) => cells.map((cell) => cell ?? '-'));
  const widths = head.map((_, column) => Math.max(...lines.map((cells) => (cells[column] ?? '').length)));
  return lines
    .map((cells) => cells.map((cell, column) => cell.padEnd(widths[column] ?? 0)).join('  '))
    .map((line) => `${line.trimEnd()}\n`)
    .join('');
}
