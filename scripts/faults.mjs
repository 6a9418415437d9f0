// Runs the fault matrix: see --help.
import { runCompiled } from './lib/compiled.mjs';

await runCompiled('test/faults/main.js');
