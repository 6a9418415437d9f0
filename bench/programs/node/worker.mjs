// One process of a Node contender: plays one role of one pattern and prints its report, a line of JSON.
import { writeSync } from 'node:fs';

import { parseOptions } from './options.mjs';
import { patterns } from './patterns.mjs';

// A process that nobody waits for any more ends by itself.
const kLongestRunMs = 120_000;
setTimeout(() => process.exit(3), kLongestRunMs).unref();

const options = parseOptions(process.argv.slice(2));
const { contenders } = await import(options.file);
const contender = contenders.find(({ name }) => name === options.name);
const report = await patterns[options.pattern][options.role](contender, options);
writeSync(1, `${JSON.stringify({ role: options.role, ...report })}\n`);
process.exit(0);
