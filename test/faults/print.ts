// The fault matrix as text: a table for each side, and a legend of what is not simply ok.
import type { CellResult } from './cell';
import { type Cell, faults, matrix, type Side, states } from './table';

export type Judged = Cell & { result?: CellResult; error?: string };

export function printMatrix(judged: readonly Judged[]): string {
  const reasons: string[] = [];
  const tables = (['old', 'new'] as const).map((side) => table(side, judged, reasons));
  const count = (wanted: (one: Judged) => boolean): number => judged.filter(wanted).length;
  const failed = count(({ error }) => error !== undefined);
  const answered = judged.reduce((sum, { result }) => sum + (result?.answered ?? 0), 0);
  const allowed = judged.reduce((sum, { result }) => sum + (result?.allowed ?? 0), 0);
  const legend = reasons.map((why, i) => `(${i + 1}) ${why}`);
  return [
    ...tables,
    ...legend,
    '',
    `${judged.length} cells, ${failed} failed; ${answered} requests answered, ${allowed} failed as they may.`,
  ].join('\n');
}

function table(side: Side, judged: readonly Judged[], reasons: string[]): string {
  const heading = side === 'old' ? 'to the holder, in state' : 'to the successor, in state';
  const rows = faults.map((how) => [
    how,
    ...states[side].map((state) => {
      const cell = matrix().find((one) => one.side === side && one.state === state && one.how === how);
      if (cell !== undefined && 'why' in cell) return `n.a. ${reference(cell.why, reasons)}`;
      return text(judged.find((one) => one.side === side && one.state === state && one.how === how));
    }),
  ]);
  const all = [[heading, ...states[side]], ['---', ...states[side].map(() => '---')], ...rows];
  return `${all.map((row) => `| ${row.join(' | ')} |`).join('\n')}\n`;
}

function text(one: Judged | undefined): string {
  if (one === undefined) return '';
  if (one.result === undefined) return 'FAILED';
  return one.result.allowed === 0 ? 'ok' : `${one.result.allowed}`;
}

function reference(why: string, reasons: string[]): string {
  if (!reasons.includes(why)) reasons.push(why);
  return `(${reasons.indexOf(why) + 1})`;
}
