// The short form of the fault matrix: every fault, every state, every process, but not every combination.
import { describe, test } from 'node:test';
import { runCell } from './cell';
import { matrix, title } from './table';

// Two at a time: a cell mostly waits for deadlines.
describe('the fault matrix', { concurrency: 2 }, () => {
  for (const cell of matrix()) {
    if ('why' in cell || !cell.short) continue;
    test(title(cell), async (t) => {
      await runCell(t, cell);
    });
  }
});
