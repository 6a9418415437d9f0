// The type declarations of the package: all of them are for the tests, which look inside, and those that an entry point
// leads to are for users. The others would be a fifteenth of the tarball.
import { cpSync, existsSync, readFileSync } from 'node:fs';
import path from 'node:path';

const kEntries = ['index', 'pool', 'raw', 'register', 'ws'];

export function copyReachable(from, to) {
  const reached = new Set();
  const visit = (file) => {
    if (reached.has(file) || !existsSync(file)) return;
    reached.add(file);
    const imports = readFileSync(file, 'utf8').matchAll(/(?:from|import\()\s*'(\.[^']+)'/g);
    for (const [, name] of imports) visit(`${path.resolve(path.dirname(file), name)}.d.ts`);
  };
  for (const entry of kEntries) visit(path.join(from, `${entry}.d.ts`));
  for (const file of reached) cpSync(file, path.join(to, path.relative(from, file)));
}
