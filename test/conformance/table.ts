// The table of cases.md, as data.
import { readFileSync } from 'node:fs';
import path from 'node:path';

export interface Case {
  id: string;
  /** The file that runs it: `${section}.test.ts`. */
  section: string;
  level: string;
  done: string;
  observed: string;
  source: string;
  needs: string;
}

// Only compiled files are in out/: the table stays beside its sources, three levels up.
export const root = path.join(__dirname, '..', '..', '..');

export const cases: readonly Case[] = readCases();

export const sections: readonly string[] = [...new Set(cases.map(({ section }) => section))];

export function caseOf(id: string): Case {
  const found = cases.find((one) => one.id === id);
  if (found === undefined) throw new Error(`cases.md has no row ${id}`);
  return found;
}

function readCases(): Case[] {
  const text = readFileSync(path.join(root, 'test', 'conformance', 'cases.md'), 'utf8');
  let section = '';
  return text.split('\n').flatMap((line) => {
    section = /^## (\w+)$/.exec(line)?.[1] ?? section;
    return /^\| [A-Z]{2}-\d+ /.test(line) ? [readCase(line, section)] : [];
  });
}

function readCase(line: string, section: string): Case {
  const cells = line.split('|').map((cell) => cell.trim());
  if (cells.length !== 8) throw new Error(`a row of cases.md has 6 cells: ${line}`);
  const [, id, level, done, observed, source, needs] = cells as [string, ...string[]] &
    Record<number, string>;
  return { id, section, level, done, observed, source, needs } as Case;
}
