// Where the repository is: every script works from there, wherever it was called from.
import path from 'node:path';

export const root = path.resolve(import.meta.dirname, '../..');

export const fromRoot = (...parts) => path.join(root, ...parts);

// A command of a development dependency.
export const localBin = (name) => fromRoot('node_modules/.bin', name);
