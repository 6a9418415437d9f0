// The short form of the fault matrix: every fault, every state, every process, but not every combination.
import test from 'node:test';
import { runCell } from './cell';
import { matrix, title } from './table';

for (const cell of matrix()) {
  if ('why' in cell || !cell.short) continue;
  test(title(cell), async (t) => {
    await runCell(t, cell);
  });
}
