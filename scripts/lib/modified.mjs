// Compares files by the time of their last change.
import { statSync } from 'node:fs';

// A file that is not there is older than all.
export function modifiedAt(file) {
  return statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? Number.NEGATIVE_INFINITY;
}

export function isOlder(file, sources) {
  const time = modifiedAt(file);
  return time === Number.NEGATIVE_INFINITY || sources.some((source) => modifiedAt(source) > time);
}
