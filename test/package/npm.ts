// The npm of this machine, as a program for Node: on a PATH without tools `npm` is not found.
import { accessSync, constants, realpathSync } from 'node:fs';
import path from 'node:path';

function find(): string {
  for (const folder of (process.env['PATH'] ?? '').split(path.delimiter)) {
    try {
      const file = path.join(folder, 'npm');
      accessSync(file, constants.X_OK);
      return realpathSync(file);
    } catch {
      // not in this one
    }
  }
  throw new Error('there is no npm on PATH');
}

export const npm = find();
