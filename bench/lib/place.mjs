// Where the benchmark's files are.
import path from 'node:path';

export const benchRoot = path.resolve(import.meta.dirname, '..');

export const fromBench = (...parts) => path.join(benchRoot, ...parts);
