// Runs the demo: see --help.
import { runCompiled } from './lib/compiled.mjs';

await runCompiled('demo/main.js');
