// Lists the files below a folder, sorted, as paths that start with the folder.
import { existsSync, readdirSync } from 'node:fs';
import path from 'node:path';

export function filesBelow(folder, suffixes = ['']) {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && suffixes.some((suffix) => entry.name.endsWith(suffix)))
    .map((entry) => path.join(entry.parentPath, entry.name))
    .sort();
}
